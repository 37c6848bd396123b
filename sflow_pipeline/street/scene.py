"""A street: blocks of houses along a straight road, street furniture, parked vehicles and traffic."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.street.buildings import add_building, add_skyline
from sflow_pipeline.street.camera import Intrinsics
from sflow_pipeline.street.classes import CAR, SIDEWALK, SKY, TERRAIN, TRUCK
from sflow_pipeline.street.furniture import (
    add_fence,
    add_lamp_post,
    add_low_wall,
    add_sign,
    add_traffic_light,
)
from sflow_pipeline.street.mesh import Colour, Faces, Material, MeshBuilder, Placement
from sflow_pipeline.street.motion import CameraPath, Movers
from sflow_pipeline.street.traffic import InstanceCounter, Traffic, pick
from sflow_pipeline.street.vegetation import add_bush, add_hedge, add_tree
from sflow_pipeline.street.vehicles import PAINTS, add_box_vehicle, add_car

KERB_M = 0.12
LANE_M = 3.4
#: Extent of the world ahead of the camera's last position, and to either side.
AHEAD_M = 240.0
ASIDE_M = 110.0


@dataclass(frozen=True, slots=True)
class Street:
    """The cross-section of the road and where side streets cut it, for what is painted on the ground.

    ``crossings`` is (n, 2) float64: where each side street begins and ends along z, metres.
    """

    half_width_m: float
    pavement_m: float
    crossings: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Light:
    """Weather as far as the looks need it: unit vector towards the sun, tint and cloudiness."""

    to_sun: NDArray[np.float64]
    warmth: float
    clouds: float


@dataclass(frozen=True, slots=True)
class StreetScene:
    """Scene of a sequence: faces, motion, camera, street and light."""

    faces: Faces
    movers: Movers
    camera: CameraPath
    lens: Intrinsics
    street: Street
    light: Light
    seed: tuple[int, int]


def build_scene(seed: int, sequence_index: int, duration_s: float, size: tuple[int, int]) -> StreetScene:
    """The scene of one sequence; the same arguments give the same scene.

    Args:
        seed: of the whole dump.
        sequence_index: of the sequence in the dump.
        duration_s: of the drive, which decides the length of the street.
        size: width and height of the picture in px.
    """
    rng = np.random.default_rng([seed, sequence_index, 0])
    street_half, pavement = LANE_M + rng.uniform(2.1, 2.6), rng.uniform(2.6, 4.2)
    greenery = rng.uniform(0.0, 1.0)
    lens, camera = _choose_camera(rng, size)
    end = camera.speed_m_s * duration_s + AHEAD_M
    mesh = MeshBuilder()
    counter = InstanceCounter()
    for colour, class_id, material in (((0.6, 0.7, 0.9), SKY, Material.SKY), ((0.3, 0.3, 0.3), 0, Material.ASPHALT)):
        nowhere = [(0.0, -9.0, 0.0), (0.0, -9.0, 1.0), (1.0, -9.0, 1.0)]
        mesh.polygon(Placement(class_id, class_id), nowhere, colour, material)
    crossings: list[tuple[float, float]] = []
    start = -25.0
    while start < end:
        stop = start + rng.uniform(55, 95)
        block = _Block(mesh, counter, np.random.default_rng(rng.integers(2**32)), street_half, pavement, greenery)
        block.build(start, stop)
        start = stop + rng.uniform(8.5, 11.5)
        crossings.append((stop, start))
    add_skyline(mesh, start + 2, rng)
    traffic = Traffic(mesh, counter, np.random.default_rng(rng.integers(2**32)))
    traffic.fill_lanes(LANE_M, camera.speed_m_s, duration_s, end)
    traffic.fill_pavements(street_half, pavement, end, crossings, camera.speed_m_s)
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(28, 58))
    to_sun = np.array([np.cos(elevation) * np.sin(azimuth), -np.sin(elevation), np.cos(elevation) * np.cos(azimuth)])
    return StreetScene(
        faces=mesh.build(),
        movers=Movers(traffic.movers),
        camera=camera,
        lens=lens,
        street=Street(street_half, pavement, np.array(crossings)),
        light=Light(to_sun, warmth=rng.uniform(-0.5, 1.0), clouds=rng.uniform(0.2, 0.75)),
        seed=(seed, sequence_index),
    )


def _choose_camera(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Intrinsics, CameraPath]:
    """A camera behind a windscreen whose horizon lies at 41-48 % of the picture's height."""
    width, height = size
    focal = max(width, height * 1.2) / 2 / np.tan(np.deg2rad(rng.uniform(62, 80)) / 2)
    lens = Intrinsics(width, height, float(focal))
    horizon = rng.uniform(0.41, 0.48) * height
    path = CameraPath(
        x=LANE_M / 2,
        height_m=rng.uniform(1.35, 1.9),
        speed_m_s=rng.uniform(4.0, 9.0),
        pitch=-float(np.arctan((lens.centre_px[1] - horizon) / focal)),
        yaw_swing=rng.uniform(0.01, 0.05),
        phase=rng.uniform(0, 2 * np.pi),
    )
    return lens, path


class _Block:
    """One block between two side streets: pavements, plots, parked cars and what lines the kerb."""

    def __init__(
        self,
        mesh: MeshBuilder,
        counter: InstanceCounter,
        rng: np.random.Generator,
        half_width: float,
        pavement: float,
        greenery: float,
    ) -> None:
        self.mesh, self.counter, self.rng = mesh, counter, rng
        self.half, self.pavement, self.greenery = half_width, pavement, greenery

    def build(self, start: float, stop: float) -> None:
        for side in (-1, 1):
            yard = self.rng.uniform(2.0, 6.0) if self.rng.random() < 0.35 + 0.4 * self.greenery else 0.0
            self._add_ground(side, start, stop, yard)
            self._add_plots(side, start + 2.5, stop - 2.5, yard)
            self._add_kerbside(side, start, stop)
            self._add_parked(side, start + 7, stop - 9)

    def _add_ground(self, side: int, start: float, stop: float, yard: float) -> None:
        rng, kerb, walk = self.rng, side * self.half, side * (self.half + self.pavement)
        paving: Colour = (0.56, 0.55, 0.54)
        grass: Colour = (0.36, 0.47, 0.22)
        is_green = yard > 0 or rng.random() < self.greenery
        beyond = (TERRAIN, Material.GRASS, grass) if is_green else (SIDEWALK, Material.PAVING, paving)
        for inner, outer, (class_id, material, colour) in (
            (kerb, walk, (SIDEWALK, Material.PAVING, paving)),
            (walk, side * ASIDE_M, beyond),
        ):
            x0, x1 = sorted((inner, outer))
            faces = "tnf" + ("l" if side > 0 else "r") * (inner == kerb)
            at = Placement(class_id, class_id)
            self.mesh.block(at, (x0, 0.0, start), (x1, KERB_M, stop), colour, material, sides=faces)

    def _add_plots(self, side: int, start: float, stop: float, yard: float) -> None:
        rng, mesh = self.rng, self.mesh
        edge = self.half + self.pavement
        tall = rng.uniform(6, 11) if yard > 0 else rng.uniform(9, 20)
        z = start
        while z < stop - 5:
            width = min(rng.uniform(8, 19), stop - z)
            is_park = rng.random() < 0.10 + 0.22 * self.greenery
            if is_park:
                for _ in range(int(width / 2.5)):
                    x = side * rng.uniform(edge + 2, edge + 16)
                    add_tree(mesh, x, rng.uniform(z + 1, z + width - 1), rng.uniform(5, 10), rng)
                add_bush(mesh, side * (edge + 1.5), z + width / 2, rng.uniform(0.8, 1.4), rng)
            else:
                depth = rng.uniform(9, 14)
                front = edge + yard + rng.uniform(0.05, 0.3)
                x0, x1 = sorted((side * front, side * (front + depth)))
                add_building(mesh, (x0, x1), (z, z + width), tall * rng.uniform(0.75, 1.3), side, rng)
            if yard > 0 or is_park:
                add_border = (add_fence, add_low_wall, add_hedge)[rng.integers(3)]
                add_border(mesh, side * (edge + 0.35), z + 0.3, z + width - 0.3, rng)
                if yard > 2.5 and rng.random() < 0.6:
                    add_tree(mesh, side * (edge + 1.7), z + rng.uniform(2, width - 2), rng.uniform(4, 6.5), rng)
            z += width + (rng.uniform(2.0, 6.0) if yard > 0 else rng.uniform(0.0, 0.6))
        back = edge + rng.uniform(30, 45)
        x0, x1 = sorted((side * back, side * (back + 12)))
        add_building(mesh, (x0, x1), (start, stop), rng.uniform(8, 15), side, rng)

    def _add_kerbside(self, side: int, start: float, stop: float) -> None:
        rng, mesh, x = self.rng, self.mesh, side * (self.half + 0.55)
        spacing = 30.0 - 17.0 * self.greenery
        for z in np.arange(start + 9, stop - 6, spacing):
            if rng.random() < 0.85:
                add_tree(mesh, x, z + rng.uniform(-1.5, 1.5), rng.uniform(5.0, 8.5), rng)
        for z in np.arange(start + 4 + 12 * (side > 0), stop, 27.0):
            add_lamp_post(mesh, x, float(z), side)
        for _ in range(2):
            add_sign(mesh, x, rng.uniform(start + 3, stop - 3), rng)
        if side > 0:
            add_traffic_light(mesh, x, stop - 1.2, int(rng.integers(3)))
        else:
            add_traffic_light(mesh, x, stop - 1.0, int(rng.integers(3)))

    def _add_parked(self, side: int, start: float, stop: float) -> None:
        rng = self.rng
        z = start + rng.uniform(0, 6)
        yaw = 0.0 if side > 0 else np.pi
        while z < stop - 5:
            if rng.random() < 0.72:
                class_id = TRUCK if rng.random() < 0.05 else CAR
                length = 6.4 if class_id == TRUCK else rng.uniform(3.7, 4.8)
                x = side * (self.half - 1.12 + rng.uniform(-0.08, 0.08))
                instance = self.counter.next_id(class_id)
                at = Placement(class_id, instance, x, z + length / 2, yaw=yaw + rng.uniform(-0.02, 0.02))
                paint = pick(rng, PAINTS)
                if class_id == TRUCK:
                    add_box_vehicle(self.mesh, at, paint, length_m=length, height_m=2.9, has_windows=False)
                else:
                    roof = rng.uniform(1.85, 2.1) if rng.random() < 0.14 else rng.uniform(1.40, 1.62)
                    add_car(self.mesh, at, paint, length_m=length, roof_m=roof)
                z += length + rng.uniform(0.8, 1.8)
            else:
                z += rng.uniform(4, 11)
