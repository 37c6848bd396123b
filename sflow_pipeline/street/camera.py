"""The pinhole camera: intrinsics, pose, and visible faces.

Camera axes are OpenCV's (x right, y down, z forward) and pixel centres have integer coordinates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.street.mesh import Faces
from sflow_pipeline.street.rasteriser import Polygons

NEAR_M = 0.25
#: Faces that would cover less than this, seen flat on, are not drawn.
SMALLEST_RADIUS_PX = 0.7


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """A pinhole without distortion; square pixels."""

    width_px: int
    height_px: int
    focal_px: float

    @property
    def centre_px(self) -> tuple[float, float]:
        return (self.width_px - 1) / 2, (self.height_px - 1) / 2

    def matrix(self) -> NDArray[np.float64]:
        """(3, 3) K: pixel = K @ point / depth."""
        cx, cy = self.centre_px
        return np.array([[self.focal_px, 0.0, cx], [0.0, self.focal_px, cy], [0.0, 0.0, 1.0]])


def build_pose(
    position: tuple[float, float, float], *, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0
) -> NDArray[np.float64]:
    """(4, 4) object-to-world: position in metres (x, y down, z), angles in radians.

    Positive yaw turns right, positive pitch looks up, positive roll tips to the right.

    >>> build_pose((1.0, -1.5, 3.0))[:3, 3].tolist()
    [1.0, -1.5, 3.0]
    """
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    tip = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    pose = np.eye(4)
    pose[:3, :3] = turn @ nod @ tip
    pose[:3, 3] = position
    return pose


def invert_pose(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, 4) inverse of a rigid pose."""
    inverse = np.eye(4)
    inverse[:3, :3] = pose[:3, :3].T
    inverse[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return inverse


def project_faces(
    faces: Faces, body_poses: NDArray[np.float64], camera_pose: NDArray[np.float64], lens: Intrinsics
) -> Polygons:
    """Faces in view: culled, cut at the near plane, with the inverse-depth plane of each.

    Args:
        faces: f faces, in the frames of their bodies.
        body_poses: (bodies, 4, 4) body-to-world.
        camera_pose: (4, 4) camera-to-world.
        lens: intrinsics.
    """
    to_camera = invert_pose(camera_pose) @ body_poses  # (bodies, 4, 4)
    seen = _in_view(faces, to_camera, lens)
    body = faces.body[seen]
    points = _move(faces.corners[seen], body, to_camera)
    normal = _move(faces.normal[seen][:, None], body, to_camera, shift=False)[:, 0]
    offset = (normal * points[:, 0]).sum(axis=1)
    facing = np.where(faces.two_sided[seen], np.abs(offset) > 1e-6, offset < -1e-6)
    in_front = _largest(points[:, :, 2]) > NEAR_M
    keep = facing & in_front
    seen, points, normal, offset = seen[keep], points[keep], normal[keep], offset[keep]
    counts = faces.corner_count[seen].copy()
    crossing = np.flatnonzero(-_largest(-points[:, :, 2]) < NEAR_M)
    if len(crossing):
        points, counts = _cut_at_near_plane(points, counts, crossing)
    cx, cy = lens.centre_px
    screen = points[:, :, :2] * (lens.focal_px / points[:, :, 2:]) + (cx, cy)
    # On the plane n.P = d, the point on ray r has depth d / (n.r): inverse depth is linear over the picture.
    slope = normal[:, :2] / (lens.focal_px * offset[:, None])
    constant = normal[:, 2] / offset - slope[:, 0] * cx - slope[:, 1] * cy
    return Polygons(screen, counts, np.column_stack([slope, constant]), seen)


def _in_view(faces: Faces, to_camera: NDArray[np.float64], lens: Intrinsics) -> NDArray[np.int64]:
    """Indices of faces whose bounding sphere touches the view and is large enough to matter."""
    centre, radius = _move(faces.centre[:, None], faces.body, to_camera)[:, 0], faces.radius
    depth = centre[:, 2]
    # Side planes of the view: a sphere is out when it lies wholly on their far side.
    across = np.array([lens.width_px / 2 + 1, lens.focal_px]) / np.hypot(lens.width_px / 2 + 1, lens.focal_px)
    along = np.array([lens.height_px / 2 + 1, lens.focal_px]) / np.hypot(lens.height_px / 2 + 1, lens.focal_px)
    inside = (depth + radius > NEAR_M) & (radius * lens.focal_px > SMALLEST_RADIUS_PX * depth)
    inside &= np.abs(centre[:, 0]) * across[1] - depth * across[0] < radius
    inside &= np.abs(centre[:, 1]) * along[1] - depth * along[0] < radius
    inside[:2] = False  # sky and ground are drawn as the background
    return np.flatnonzero(inside)


def _move(
    points: NDArray[np.float64], body: NDArray[np.int64], poses: NDArray[np.float64], *, shift: bool = True
) -> NDArray[np.float64]:
    """(f, v, 3) points through the pose of each row's body; most rows belong to the world, body 0."""
    flat = points.reshape(-1, 3) @ poses[0, :3, :3].T + (poses[0, :3, 3] if shift else 0.0)
    moved: NDArray[np.float64] = flat.reshape(points.shape)
    own = np.flatnonzero(body)
    pose = poses[body[own]]
    moved[own] = points[own] @ pose[:, :3, :3].transpose(0, 2, 1)
    if shift:
        moved[own] += pose[:, None, :3, 3]
    return moved


def _largest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row-wise maximum of (f, v); folding columns is many times quicker than reducing such short rows."""
    largest = values[:, 0]
    for column in range(1, values.shape[1]):
        largest = np.maximum(largest, values[:, column])
    return largest


def _cut_at_near_plane(
    points: NDArray[np.float64], counts: NDArray[np.int64], crossing: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Cut the listed polygons to depth >= NEAR_M (Sutherland and Hodgman, one plane)."""
    padded = np.concatenate([points, points[:, -1:]], axis=1)  # a cut may add one corner
    for i in crossing:
        ring = points[i, : counts[i]]
        cut: list[NDArray[np.float64]] = []
        for here, there in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if here[2] >= NEAR_M:
                cut.append(here)
            if (here[2] >= NEAR_M) != (there[2] >= NEAR_M):
                cut.append(here + (there - here) * ((NEAR_M - here[2]) / (there[2] - here[2])))
        padded[i, : len(cut)] = cut
        padded[i, len(cut) :] = cut[-1]
        counts[i] = len(cut)
    return padded, counts
