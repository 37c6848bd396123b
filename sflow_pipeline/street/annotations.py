"""Labels that follow from the buffers: classes, instances, depth, boxes, camera."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.street.buffers import Buffers
from sflow_pipeline.street.classes import INSTANCES_PER_CLASS, NAMES
from sflow_pipeline.street.scene import StreetScene

#: Depth unit of the 16-bit maps, and their value for the sky.
DEPTH_UNIT_M = 0.01
NO_DEPTH = 65535


def compute_depth(inverse_depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """(h, w) depth along the optical axis in centimetres; at most 65534, 65535 = sky.

    >>> compute_depth(np.array([[0.5, 0.0]], np.float32)).tolist()
    [[200, 65535]]
    """
    depth = np.rint(1.0 / (np.maximum(inverse_depth, 1e-9) * np.float32(DEPTH_UNIT_M)))
    depth = np.minimum(depth, NO_DEPTH - 1)
    return np.where(inverse_depth > 0, depth, NO_DEPTH).astype(np.uint16)


def find_boxes(instance_map: NDArray[np.uint16]) -> list[dict[str, Any]]:
    """The bounding box of each countable object's visible pixels, by instance id.

    ``xyxy`` is [left, top, right, bottom] in px with right and bottom exclusive: ``map[top:bottom, left:right]``.

    >>> find_boxes(np.array([[0, 13002], [0, 13002]], np.uint16))[0]["xyxy"]
    [1, 0, 2, 2]
    """
    pixels = np.flatnonzero(instance_map >= INSTANCES_PER_CLASS)
    if len(pixels) == 0:
        return []
    ids = instance_map.reshape(-1)[pixels]
    order = np.argsort(ids, kind="stable")
    ids, pixels = ids[order], pixels[order]
    starts = np.flatnonzero(np.diff(ids, prepend=np.uint16(0)))
    rows, columns = np.divmod(pixels, instance_map.shape[1])
    corners = np.stack(
        [
            np.minimum.reduceat(columns, starts),
            np.minimum.reduceat(rows, starts),
            np.maximum.reduceat(columns, starts) + 1,
            np.maximum.reduceat(rows, starts) + 1,
        ],
        axis=1,
    )
    areas = np.diff(np.append(starts, len(ids)))
    return [
        {
            "class": NAMES[int(instance) // INSTANCES_PER_CLASS],
            "class_id": int(instance) // INSTANCES_PER_CLASS,
            "instance_id": int(instance),
            "xyxy": corner.tolist(),
            "visible_px": int(area),
        }
        for instance, corner, area in zip(ids[starts], corners, areas, strict=True)
    ]


def describe_camera(scene: StreetScene, buffers: Buffers, time_s: float) -> dict[str, Any]:
    """Intrinsics and pose of one frame, ready for JSON."""
    return {
        "width_px": scene.lens.width_px,
        "height_px": scene.lens.height_px,
        "intrinsics_px": scene.lens.matrix().tolist(),
        "camera_to_world": np.round(buffers.camera_pose, 9).tolist(),
        "units": {"length": "m", "time": "s"},
        "axes": "camera x right, y down, z forward; world x right, y down (road at 0), z along the street",
        "pixel_centres": "integer",
        "time_s": round(time_s, 6),
    }
