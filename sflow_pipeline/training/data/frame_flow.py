"""Optical flow of a simulator frame, as training uses it: known only where the next frame shows the same surface."""

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.simulators import Dump
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.flow_codec import decode_flow


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
    flow = decode_flow(dump.folder.read_bytes(frame.flow), frame.flow, dump.simulator)
    _check_size(frame.flow, flow.shape, size)
    if frame.occlusion is not None and frame.occlusion.lower().endswith(".png"):
        occlusion = image_codec.decode_plane(dump.folder.read_bytes(frame.occlusion), name=frame.occlusion)
        _check_size(frame.occlusion, occlusion.shape, size)
        flow[occlusion.reshape(*size, -1).any(axis=2)] = np.nan
    with np.errstate(over="ignore"):
        stored = flow.astype(np.float16)
    return np.where(np.isfinite(stored).all(axis=2, keepdims=True), stored, unknown)


def _check_size(path: str, found: tuple[int, ...], size: tuple[int, ...]) -> None:
    if tuple(found[:2]) != tuple(size):
        raise FrameError(
            f"{path}: {found[1]}x{found[0]} px, its picture has {size[1]}x{size[0]}",
            hint="flow and occlusion need the size of the picture",
            reason="size_mismatch",
        )
