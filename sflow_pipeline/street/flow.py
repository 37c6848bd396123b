"""Exact optical flow from depth and motion, and which pixels the next frame no longer shows."""

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.street.buffers import Buffers
from sflow_pipeline.street.camera import invert_pose
from sflow_pipeline.street.scene import StreetScene

#: Two surfaces of one class this close in depth (relative) are taken as one that goes on.
_SAME_DEPTH = 0.01


def compute_flow(scene: StreetScene, now: Buffers, later: Buffers) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where every pixel of ``now`` is in ``later``, and whether it can be seen there.

    The sky is infinitely far: it moves with the camera's rotation alone.

    Returns:
        flow: (h, w, 2) float32 x and y displacement in px; 0 where a point passes behind the camera.
        occluded: (h, w) bool, hidden in ``later`` or outside its picture.
    """
    faces, lens = scene.faces, scene.lens
    height, width = now.face.shape
    intrinsics = lens.matrix()
    to_later = invert_pose(later.camera_pose)
    moves = to_later @ later.body_poses @ _invert_all(now.body_poses) @ now.camera_pose  # (bodies, 4, 4)
    # pixel' ~ K R K^-1 pixel + K t / depth
    turn = (intrinsics @ moves[:, :3, :3] @ np.linalg.inv(intrinsics)).astype(np.float32)
    shift = (moves[:, :3, 3] @ intrinsics.T).astype(np.float32)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    near = now.inverse_depth
    target = np.empty((3, height, width), np.float32)
    for i in range(3):
        np.multiply(near, shift[0, i], out=target[i])
        target[i] += (turn[0, i, 0] * x)[None]
        target[i] += (turn[0, i, 1] * y + turn[0, i, 2])[:, None]
    body = faces.body.astype(np.int32)[now.face]
    own = np.flatnonzero(body)
    if len(own):
        rows, columns = np.divmod(own, width)
        which = body.reshape(-1)[own]
        pixel = np.stack([columns, rows, np.ones_like(rows)], axis=1).astype(np.float32)
        depth = near.reshape(-1)[own, None]
        moved = (turn[which] @ pixel[:, :, None])[:, :, 0] + shift[which] * depth
        target.reshape(3, -1)[:, own] = moved.T
    ahead = target[2] > 1e-3
    scale = np.reciprocal(np.where(ahead, target[2], np.float32(1.0)))
    target_x, target_y = target[0] * scale, target[1] * scale
    expected = near * scale
    flow = np.stack([np.where(ahead, target_x - x[None], 0), np.where(ahead, target_y - y[:, None], 0)], axis=2)
    return flow.astype(np.float32), ~_is_visible(scene, now, later, target_x, target_y, expected, ahead)


def _invert_all(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4, 4) inverses of rigid poses."""
    inverse = np.zeros_like(poses)
    turned = poses[:, :3, :3].transpose(0, 2, 1)
    inverse[:, :3, :3] = turned
    inverse[:, :3, 3] = -(turned @ poses[:, :3, 3:])[:, :, 0]
    inverse[:, 3, 3] = 1.0
    return inverse


def _is_visible(
    scene: StreetScene,
    now: Buffers,
    later: Buffers,
    target_x: NDArray[np.float32],
    target_y: NDArray[np.float32],
    expected: NDArray[np.float32],
    ahead: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Whether the pixel nearest to each target shows the same surface: its face, or the same object as near."""
    height, width = now.face.shape
    inside = ahead & (target_x >= 0) & (target_x <= width - 1) & (target_y >= 0) & (target_y <= height - 1)
    column = np.rint(np.where(inside, target_x, 0)).astype(np.int32)
    row = np.rint(np.where(inside, target_y, 0)).astype(np.int32)
    pixel = row * width + column
    found = later.face.reshape(-1)[pixel]
    visible: NDArray[np.bool_] = inside & (found == now.face)
    other = np.flatnonzero(inside & ~visible)
    there, here, ahead_there = found.reshape(-1)[other], now.face.reshape(-1)[other], expected.reshape(-1)[other]
    instance = scene.faces.instance_id
    is_near = (
        np.abs(later.inverse_depth.reshape(-1)[pixel.reshape(-1)[other]] - ahead_there) <= _SAME_DEPTH * ahead_there
    )
    visible.reshape(-1)[other] = (instance[there] == instance[here]) & is_near
    return visible
