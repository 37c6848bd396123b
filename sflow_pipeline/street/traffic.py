"""Traffic: cars and buses in the lanes, cyclists beside them, people on the pavements and crossings."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from sflow_pipeline.street.classes import BICYCLE, BUS, CAR, INSTANCES_PER_CLASS, PERSON, RIDER
from sflow_pipeline.street.mesh import Colour, MeshBuilder, Placement
from sflow_pipeline.street.motion import Mover
from sflow_pipeline.street.people import CLOTHES, HIP_M, SKINS, add_leg, add_rider, add_upper_body
from sflow_pipeline.street.vehicles import PAINTS, add_bicycle, add_box_vehicle, add_car

T = TypeVar("T")


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of a few."""
    return options[int(rng.integers(len(options)))]


class InstanceCounter:
    """Allocates instance ids class_id * 1000 + n. After 1000 of a class the numbers start again, kilometres away."""

    def __init__(self) -> None:
        self._given: Counter[int] = Counter()

    def next_id(self, class_id: int) -> int:
        number = self._given[class_id] % INSTANCES_PER_CLASS
        self._given[class_id] += 1
        return class_id * INSTANCES_PER_CLASS + number


class Traffic:
    """Adds moving objects to the mesh and records the path of each body."""

    def __init__(self, mesh: MeshBuilder, counter: InstanceCounter, rng: np.random.Generator) -> None:
        self.mesh, self.counter, self.rng = mesh, counter, rng
        self.movers: list[Mover] = []

    def fill_lanes(self, lane_m: float, camera_speed: float, duration_s: float, end: float) -> None:
        """Cars ahead at the camera's own pace, oncoming ones, cyclists at the edge of the lane."""
        rng, x = self.rng, lane_m / 2
        z = rng.uniform(13, 26)
        while z < 150:
            surge = rng.uniform(0.5, 2.0)
            self._add_vehicle(Mover(x, z, speed_z=camera_speed, surge_m=surge, surge_hz=0.05, phase=rng.uniform(0, 6)))
            z += rng.uniform(16, 50)
        oncoming = rng.uniform(6, 10)
        z = rng.uniform(8, 30)
        while z < end + oncoming * duration_s:
            self._add_vehicle(Mover(-x, z, yaw=np.pi, speed_z=-oncoming))
            z += rng.uniform(14, 60)
        pace = rng.uniform(3.5, 5.0)
        z = rng.uniform(9, 30)
        while z < end:
            self._add_cyclist(Mover(lane_m - 0.25, z, speed_z=pace))
            z += rng.uniform(25, 90)

    def fill_pavements(
        self,
        half_width: float,
        pavement: float,
        end: float,
        crossings: list[tuple[float, float]],
        camera_speed: float,
    ) -> None:
        """People who walk along on both sides, and some who cross just after the camera has gone by."""
        rng = self.rng
        for side in (-1, 1):
            z = rng.uniform(4, 15)
            while z < end:
                x = side * (half_width + rng.uniform(1.1, pavement - 0.4))
                ahead = rng.random() < 0.5
                speed = rng.uniform(0.9, 1.6) * (rng.random() > 0.15) * (1 if ahead else -1)
                self._add_walker(Mover(x, z, yaw=0.0 if ahead else np.pi, height=0.12, speed_z=speed), abs(speed))
                z += rng.exponential(9.0) + 0.7
        for start, _ in crossings[::2]:
            for _ in range(int(rng.integers(1, 4))):
                speed, reach = rng.uniform(1.0, 1.4), half_width + 0.8
                moment = max(0.0, (start - 40) / camera_speed)
                begin = -reach - speed * moment - rng.uniform(-2.5, 1.0)
                path = Mover(
                    begin, start - rng.uniform(1.2, 3.6), yaw=np.pi / 2, speed_x=speed, x_limits=(-reach, reach)
                )
                self._add_walker(path, speed)

    def _add_body(self, mover: Mover) -> int:
        self.movers.append(mover)
        return len(self.movers)  # body 0 is the world

    def _add_vehicle(self, mover: Mover) -> None:
        rng = self.rng
        class_id = BUS if rng.random() < 0.08 else CAR
        at = Placement(class_id, self.counter.next_id(class_id), body=self._add_body(mover))
        if class_id == BUS:
            colour: Colour = pick(rng, ((0.72, 0.16, 0.14), (0.20, 0.42, 0.55), (0.78, 0.68, 0.25)))
            add_box_vehicle(self.mesh, at, colour, length_m=rng.uniform(9.5, 11.5), height_m=3.05, has_windows=True)
        else:
            roof = 1.95 if rng.random() < 0.12 else rng.uniform(1.40, 1.60)
            add_car(self.mesh, at, pick(rng, PAINTS), length_m=rng.uniform(3.8, 4.8), roof_m=roof)

    def _add_cyclist(self, mover: Mover) -> None:
        rng, body = self.rng, self._add_body(mover)
        add_bicycle(self.mesh, Placement(BICYCLE, self.counter.next_id(BICYCLE), body=body), pick(rng, PAINTS))
        rider = Placement(RIDER, self.counter.next_id(RIDER), z=-0.2, body=body)
        add_rider(self.mesh, rider, pick(rng, CLOTHES), (0.18, 0.20, 0.28), pick(rng, SKINS))

    def _add_walker(self, mover: Mover, speed: float) -> None:
        rng = self.rng
        instance = self.counter.next_id(PERSON)
        skin, shirt, trousers = pick(rng, SKINS), pick(rng, CLOTHES), pick(rng, CLOTHES[1:4])
        add_upper_body(self.mesh, Placement(PERSON, instance, body=self._add_body(mover)), shirt, skin)
        phase = rng.uniform(0, 6)
        for side in (-1, 1):
            hip = Mover(
                mover.x, mover.z, mover.height + HIP_M, mover.yaw, mover.speed_x, mover.speed_z,
                swing=0.36 * min(speed, 1.2), swing_hz=0.8 * speed,
                phase=phase + (np.pi if side > 0 else 0.0), x_limits=mover.x_limits,
            )  # fmt: skip
            add_leg(self.mesh, Placement(PERSON, instance, body=self._add_body(hip)), side, trousers)
