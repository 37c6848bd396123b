"""Geometry buffers of a frame: per pixel the visible face and the inverse depth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.street.camera import project_faces
from sflow_pipeline.street.mesh import GROUND_FACE, SKY_FACE
from sflow_pipeline.street.rasteriser import fill_polygons
from sflow_pipeline.street.scene import StreetScene


@dataclass(frozen=True, slots=True)
class Buffers:
    """One moment of a scene through its camera.

    Attributes:
        face: (h, w) int32 index into the scene's faces.
        inverse_depth: (h, w) float32 1/metres along the optical axis; 0 for the sky.
        camera_pose: (4, 4) camera-to-world.
        body_poses: (bodies, 4, 4) body-to-world.
    """

    face: NDArray[np.int32]
    inverse_depth: NDArray[np.float32]
    camera_pose: NDArray[np.float64]
    body_poses: NDArray[np.float64]


def draw_buffers(scene: StreetScene, time_s: float) -> Buffers:
    """Rasterise the scene at ``time_s``: first the endless ground plane, then every face in view."""
    lens = scene.lens
    camera_pose, body_poses = scene.camera.compute_pose(time_s), scene.movers.compute_poses(time_s)
    rotation, position = camera_pose[:3, :3], camera_pose[:3, 3]
    # The ground is y = 0: a ray (camera axes) with downward slope s meets it at depth -position.y / s.
    cx, cy = lens.centre_px
    down = rotation[1] / -position[1]
    x = (np.arange(lens.width_px) - cx) * (down[0] / lens.focal_px)
    y = (np.arange(lens.height_px) - cy) * (down[1] / lens.focal_px) + down[2]
    inverse_depth = (x[None] + y[:, None]).astype(np.float32)
    np.maximum(inverse_depth, 0.0, out=inverse_depth)
    face = np.where(inverse_depth > 0, np.int32(GROUND_FACE), np.int32(SKY_FACE))
    fill_polygons(project_faces(scene.faces, body_poses, camera_pose, lens), inverse_depth, face)
    return Buffers(face, inverse_depth, camera_pose, body_poses)
