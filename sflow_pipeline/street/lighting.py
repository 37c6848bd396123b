"""Sunlight on the faces, and the shadows they cast: a shadow map seen from the sun."""

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.street.mesh import Faces, Material
from sflow_pipeline.street.rasteriser import Polygons, fill_polygons
from sflow_pipeline.street.scene import StreetScene

Plane = NDArray[np.float32]
_CELL_M = 0.16
_BIAS_M = 0.20
_WINDOW_M = (-12.0, 110.0)
_SIDE_M = 32.0
_TALLEST_M = 28.0


def compute_lambert(faces: Faces, body_poses: NDArray[np.float64], to_sun: NDArray[np.float64]) -> Plane:
    """(f,) float32 cosine between each face and the sun, 0 when turned away; leaves and two-sided faces take both."""
    cosine = faces.normal @ to_sun
    own = np.flatnonzero(faces.body)
    turned = body_poses[faces.body[own], :3, :3].transpose(0, 2, 1) @ to_sun
    cosine[own] = (faces.normal[own] * turned).sum(axis=1)
    cosine = np.where(faces.two_sided, np.abs(cosine) * 0.5 + 0.35, np.maximum(cosine, 0.0))
    return cosine.astype(np.float32)


class Shadows:
    """Shadow map. Static objects are drawn once per stretch of street, moving ones every frame."""

    def __init__(self, scene: StreetScene) -> None:
        self._scene = scene
        sun = scene.light.to_sun
        first = np.array([0.0, 0.0, 1.0]) - sun[2] * sun
        first /= np.linalg.norm(first)
        self._axes = np.stack([first, np.cross(sun, first), sun])  # rows: map x, map y, towards the sun
        self._stretch: tuple[int, Plane, NDArray[np.float64]] | None = None

    def compute(
        self, x: Plane, y: Plane, z: Plane, lambert: Plane, body_poses: NDArray[np.float64], camera_z: float
    ) -> NDArray[np.bool_]:
        """(h, w) bool, whether each world point is in shadow; points outside the stretch are not.

        Where light grazes (``lambert``, the cosine to the sun, is small) the tolerance is wider: no face shades itself.
        """
        standing, origin = self._standing(camera_z)
        nearest = standing.copy()
        self._draw(nearest, origin, body_poses, moving=True, camera_z=camera_z)
        axes = (self._axes / _CELL_M).astype(np.float32)
        start = (origin / _CELL_M).astype(np.float32)
        columns = (x * axes[0, 0] + y * axes[0, 1] + z * axes[0, 2] - start[0]).astype(np.int32)
        rows = (x * axes[1, 0] + y * axes[1, 1] + z * axes[1, 2] - start[1]).astype(np.int32)
        towards = (x * axes[2, 0] + y * axes[2, 1] + z * axes[2, 2]) * np.float32(_CELL_M)
        height, width = nearest.shape
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        found = nearest.reshape(-1)[np.where(inside, rows * width + columns, 0)]
        towards += np.float32(_BIAS_M) + np.float32(_CELL_M * 0.7) / np.maximum(lambert, 0.07)
        shadow: NDArray[np.bool_] = inside & (found > towards)
        return shadow

    def _standing(self, camera_z: float) -> tuple[Plane, NDArray[np.float64]]:
        """The map of static objects around the camera, redrawn every 12 metres."""
        index = int(camera_z // 12)
        if self._stretch is None or self._stretch[0] != index:
            low, high = index * 12 + _WINDOW_M[0], index * 12 + 12 + _WINDOW_M[1]
            corners = np.array([(x, y, z) for x in (-_SIDE_M, _SIDE_M) for y in (0, -_TALLEST_M) for z in (low, high)])
            placed = corners @ self._axes[:2].T
            origin, size = placed.min(axis=0), np.ptp(placed, axis=0)
            shape = int(size[1] / _CELL_M) + 1, int(size[0] / _CELL_M) + 1
            nearest = np.full(shape, -1e6, np.float32)
            self._draw(nearest, origin, np.eye(4)[None], moving=False, camera_z=camera_z)
            self._stretch = index, nearest, origin
        return self._stretch[1], self._stretch[2]

    def _draw(
        self,
        nearest: Plane,
        origin: NDArray[np.float64],
        body_poses: NDArray[np.float64],
        *,
        moving: bool,
        camera_z: float,
    ) -> None:
        faces = self._scene.faces
        ground = np.isin(faces.material, (Material.ASPHALT, Material.PAVING, Material.GRASS))
        centre_z = faces.centre[:, 2] + (body_poses[faces.body, 2, 3] if moving else 0.0)
        near = np.abs(centre_z - camera_z - 45) < (70 if moving else 110)
        chosen = np.flatnonzero(((faces.body > 0) == moving) & ~ground & near & (faces.radius > 0.1))
        chosen = chosen[chosen > 1]
        pose = body_poses[faces.body[chosen]]
        points = faces.corners[chosen] @ pose[:, :3, :3].transpose(0, 2, 1) + pose[:, None, :3, 3]
        normal = (pose[:, :3, :3] @ faces.normal[chosen][:, :, None])[:, :, 0] @ self._axes.T
        keep = np.abs(normal[:, 2]) > 1e-3
        chosen, points, normal = chosen[keep], points[keep] @ self._axes.T, normal[keep]
        offset = (normal * points[:, 0]).sum(axis=1)
        # Height over the map: (offset - n_x X - n_y Y) / n_sun, with X = cell * column + origin.
        slope = -normal[:, :2] / normal[:, 2:] * _CELL_M
        constant = (offset - normal[:, :2] @ origin) / normal[:, 2]
        cells = (points[:, :, :2] - origin) / _CELL_M - 0.5
        constant += slope.sum(axis=1) * 0.5
        polygons = Polygons(cells, faces.corner_count[chosen].copy(), np.column_stack([slope, constant]), chosen)
        fill_polygons(polygons, nearest, np.zeros(nearest.shape, np.int32))
