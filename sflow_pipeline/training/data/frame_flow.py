"""Optical flow of a simulator frame, as training uses it: known only where the next frame shows the same surface."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.frames import FrameRef
from sflow_pipeline.networks.motion.motion_check import MotionCheck
from sflow_pipeline.simulators import Dump
from sflow_pipeline.storage.flow_codec import decode_motion
from sflow_pipeline.training.data.crops import find_video_pairs
from sflow_pipeline.training.data.photo_set import PhotoSet


def read_visible_flow(dump: Dump, frame: FrameRef, size: tuple[int, ...]) -> NDArray[np.float16]:
    """(h, w, 2) px to the next frame, NaN where it is not known or the surface is hidden there; all NaN without a file.

    Args:
        size: (height, width) of the frame's picture.

    Raises:
        FrameError: a file cannot be decoded, or is of another size.
    """
    unknown = np.full((*size, 2), np.nan, np.float16)
    if frame.flow is None:
        return unknown
    is_png = frame.occlusion is not None and frame.occlusion.lower().endswith(".png")
    hidden = dump.folder.read_bytes(frame.occlusion) if is_png and frame.occlusion else None
    flow = decode_motion(dump.folder.read_bytes(frame.flow), frame.flow, dump.simulator, hidden, size)
    with np.errstate(over="ignore"):
        stored = flow.astype(np.float16)
    return np.where(np.isfinite(stored).all(axis=2, keepdims=True), stored, unknown)


def check_motion(renders: PhotoSet, roots: Mapping[str, str]) -> None:
    """Compare the first few pairs of every folder along their flow.

    Args:
        roots: what the sequences of a folder begin with -> the folder.

    Raises:
        UsageError: another direction, order of axes or unit of the flow fits the pictures clearly better.
    """
    checks = {prefix: MotionCheck(f"--renders {root}") for prefix, root in roots.items()}
    for earlier, later in find_video_pairs(renders):
        prefix = next(prefix for prefix in checks if renders.facts[earlier].sequence.startswith(prefix))
        if checks[prefix].is_full:
            continue
        flow = renders.read_flow(earlier).astype(np.float32)
        checks[prefix].add(renders.read(earlier)[0], renders.read(later)[0], flow)
    for check in checks.values():
        check.finish()
