"""Flat convex faces in space: how the scene's objects are made and stored.

World and object axes: x to the right of the street, y down, z along the street; metres; the road is y = 0.
The builder's functions take heights (positive upwards) because that is how one thinks of a street.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

MAX_CORNERS = 10
#: Reserved faces: the sky behind everything and the endless ground plane.
SKY_FACE = 0
GROUND_FACE = 1

Colour = tuple[float, float, float]


class Material(IntEnum):
    """Material of a face; each look has its own colours and textures for it."""

    SKY = 0
    ASPHALT = 1
    PAVING = 2
    GRASS = 3
    FACADE = 4
    PLASTER = 5
    LEAVES = 6
    PAINT = 7
    GLASS = 8
    CLOTH = 9
    LAMP = 10


@dataclass(frozen=True, slots=True)
class Faces:
    """All faces of a scene as arrays; row i is face i.

    Attributes:
        corners: (f, 10, 3) float64, convex and planar, in the frame of the face's body; padded with the last corner.
        corner_count: (f,) how many of the ten are real.
        normal: (f, 3) outward unit normal in the body's frame.
        centre: (f, 3) middle of a sphere around the face, in the body's frame.
        radius: (f,) of that sphere, metres.
        body: (f,) index of the rigid body that carries the face; 0 is the world.
        class_id: (f,) uint8 id in cityscapes19.
        instance_id: (f,) uint16 Cityscapes-style instance id.
        colour: (f, 3) float32 albedo as display RGB in [0, 1].
        material: (f,) uint8 Material.
        two_sided: (f,) whether the back can be seen.
        pattern: (f, 6) float32 windows of a facade: axis (0 x, 1 z), origin_m, pitch_m, storey_m, glass share, seed.
    """

    corners: NDArray[np.float64]
    corner_count: NDArray[np.int64]
    normal: NDArray[np.float64]
    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    body: NDArray[np.int64]
    class_id: NDArray[np.uint8]
    instance_id: NDArray[np.uint16]
    colour: NDArray[np.float32]
    material: NDArray[np.uint8]
    two_sided: NDArray[np.bool_]
    pattern: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.body)


@dataclass(frozen=True, slots=True)
class Placement:
    """Placement and identity of an object: position on the ground, heading, body and class."""

    class_id: int
    instance_id: int
    x: float = 0.0
    z: float = 0.0
    height: float = 0.0
    yaw: float = 0.0
    body: int = 0


_NO_PATTERN = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0)


class MeshBuilder:
    """Collects faces, then freezes them into arrays."""

    def __init__(self) -> None:
        self._rows: list[tuple[NDArray[np.float64], int, int, int, Colour, int, bool, Sequence[float]]] = []

    def polygon(
        self,
        at: Placement,
        points: Sequence[tuple[float, float, float]] | NDArray[np.float64],
        colour: Colour,
        material: Material = Material.PLASTER,
        *,
        two_sided: bool = False,
        pattern: Sequence[float] = _NO_PATTERN,
    ) -> None:
        """Add a convex face from (x, height, z) corners in the object's own frame.

        Seen from outside, the corners of a one-sided face run clockwise.
        """
        local = np.asarray(points, np.float64)
        cos, sin = np.cos(at.yaw), np.sin(at.yaw)
        placed = np.empty_like(local)
        placed[:, 0] = at.x + cos * local[:, 0] + sin * local[:, 2]
        placed[:, 1] = -(at.height + local[:, 1])
        placed[:, 2] = at.z - sin * local[:, 0] + cos * local[:, 2]
        self._rows.append((placed, at.body, at.class_id, at.instance_id, colour, material, two_sided, pattern))

    def block(
        self,
        at: Placement,
        low: tuple[float, float, float],
        high: tuple[float, float, float],
        colour: Colour,
        material: Material = Material.PLASTER,
        *,
        taper: tuple[float, float] = (0.0, 0.0),
        lean: float = 0.0,
        sides: str = "tblrfn",
    ) -> None:
        """Add a box whose top may be drawn in by ``taper`` (x, z) metres and shifted by ``lean`` along z.

        ``sides``: t(op), b(ottom), l(eft), r(ight), f(ar), n(ear).
        """
        (x0, h0, z0), (x1, h1, z1) = low, high
        tx, tz = taper
        a0, a1, c0, c1 = x0 + tx, x1 - tx, z0 + tz + lean, z1 - tz + lean
        corners = {
            "n": [(x0, h0, z0), (a0, h1, c0), (a1, h1, c0), (x1, h0, z0)],
            "f": [(x1, h0, z1), (a1, h1, c1), (a0, h1, c1), (x0, h0, z1)],
            "l": [(x0, h0, z1), (a0, h1, c1), (a0, h1, c0), (x0, h0, z0)],
            "r": [(x1, h0, z0), (a1, h1, c0), (a1, h1, c1), (x1, h0, z1)],
            "t": [(a0, h1, c0), (a0, h1, c1), (a1, h1, c1), (a1, h1, c0)],
            "b": [(x0, h0, z1), (x0, h0, z0), (x1, h0, z0), (x1, h0, z1)],
        }
        for side in sides:
            self.polygon(at, corners[side], colour, material)

    def disc(
        self,
        at: Placement,
        centre: tuple[float, float, float],
        radius: tuple[float, float],
        colour: Colour,
        material: Material = Material.PLASTER,
        *,
        corners: int = 8,
        turn: float = 0.0,
        phase: float = 0.0,
        two_sided: bool = True,
    ) -> None:
        """Add an upright regular polygon: facing -z at ``turn`` 0, -x at a quarter turn."""
        angle = phase - np.arange(corners) * (2 * np.pi / corners)
        across, up = np.cos(angle) * radius[0], np.sin(angle) * radius[1]
        points = np.stack(
            [centre[0] + across * np.cos(turn), centre[1] + up, centre[2] - across * np.sin(turn)],
            axis=1,
        )
        self.polygon(at, points, colour, material, two_sided=two_sided)

    def build(self) -> Faces:
        """Freeze. Faces 0 and 1 are the reserved sky and ground; they have no corners worth drawing."""
        rows = self._rows
        corners = np.zeros((len(rows), MAX_CORNERS, 3))
        for i, row in enumerate(rows):
            corners[i, : len(row[0])] = row[0]
            corners[i, len(row[0]) :] = row[0][-1]
        normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 1] - corners[:, 0])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        centre = (corners.min(axis=1) + corners.max(axis=1)) / 2
        return Faces(
            corners=corners,
            corner_count=np.array([len(row[0]) for row in rows], np.int64),
            normal=normal,
            centre=centre,
            radius=np.linalg.norm(corners.max(axis=1) - centre, axis=1),
            body=np.array([row[1] for row in rows], np.int64),
            class_id=np.array([row[2] for row in rows], np.uint8),
            instance_id=np.array([row[3] for row in rows], np.uint16),
            colour=np.array([row[4] for row in rows], np.float32),
            material=np.array([row[5] for row in rows], np.uint8),
            two_sided=np.array([row[6] for row in rows], np.bool_),
            pattern=np.array([row[7] for row in rows], np.float32),
        )
