"""Motion of rigid bodies and of the camera: their poses at a given time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.street.camera import build_pose


@dataclass(frozen=True, slots=True)
class Mover:
    """A body's path: straight at constant speed, plus a slow surge, plus the swing of a limb.

    ``x_limits`` stops a walker who crosses the road on either pavement.
    """

    x: float
    z: float
    height: float = 0.0
    yaw: float = 0.0
    speed_x: float = 0.0
    speed_z: float = 0.0
    surge_m: float = 0.0
    surge_hz: float = 0.0
    swing: float = 0.0
    swing_hz: float = 0.0
    phase: float = 0.0
    x_limits: tuple[float, float] = (-1000.0, 1000.0)


class Movers:
    """All bodies of a scene; body 0 is the static world."""

    def __init__(self, movers: list[Mover]) -> None:
        rows = [
            (
                m.x,
                m.z,
                m.height,
                m.yaw,
                m.speed_x,
                m.speed_z,
                m.surge_m,
                m.surge_hz,
                m.swing,
                m.swing_hz,
                m.phase,
                *m.x_limits,
            )
            for m in movers
        ]
        self._columns: NDArray[np.float64] = np.array(rows, np.float64).reshape(len(rows), 13).T

    def compute_poses(self, time_s: float) -> NDArray[np.float64]:
        """(bodies, 4, 4) body-to-world at ``time_s``; row 0 is the identity."""
        x, z, height, yaw, speed_x, speed_z, surge, surge_hz, swing, swing_hz, phase, x_min, x_max = self._columns
        crossing = np.clip(x + speed_x * time_s, x_min, x_max)
        walking = (speed_x == 0) | (crossing == x + speed_x * time_s)
        angle = np.where(walking, swing * np.sin(2 * np.pi * swing_hz * time_s + phase), 0.0)
        cos, sin, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(angle), np.sin(angle)
        poses = np.tile(np.eye(4), (len(x) + 1, 1, 1))
        body = poses[1:]
        body[:, 0, 0], body[:, 0, 1], body[:, 0, 2] = cos, sin * sp, sin * cp
        body[:, 1, 1], body[:, 1, 2] = cp, -sp
        body[:, 2, 0], body[:, 2, 1], body[:, 2, 2] = -sin, cos * sp, cos * cp
        body[:, 0, 3] = crossing
        body[:, 1, 3] = -height
        body[:, 2, 3] = z + speed_z * time_s + surge * np.sin(2 * np.pi * surge_hz * time_s + phase)
        return poses


@dataclass(frozen=True, slots=True)
class CameraPath:
    """The camera car: it drives straight on, drifts in its lane, and its springs let it nod a little."""

    x: float
    height_m: float
    speed_m_s: float
    pitch: float
    yaw_swing: float
    phase: float

    def compute_pose(self, time_s: float) -> NDArray[np.float64]:
        """(4, 4) camera-to-world at ``time_s``."""
        slow = 2 * np.pi * 0.11 * time_s + self.phase
        quick = 2 * np.pi * 0.9 * time_s + self.phase
        position = (
            self.x + 0.22 * np.sin(slow),
            -(self.height_m + 0.012 * np.sin(quick)),
            self.speed_m_s * time_s + 0.5 * np.sin(slow * 0.7),
        )
        return build_pose(
            position,
            yaw=self.yaw_swing * np.sin(slow * 0.8 + 0.7),
            pitch=self.pitch + 0.0025 * np.sin(quick * 0.8),
            roll=0.003 * np.sin(slow * 1.7),
        )
