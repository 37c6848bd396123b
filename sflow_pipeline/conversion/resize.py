"""Resizing of frames: pictures by area, labels, instances, depth and flow by nearest pixel."""

import io
from pathlib import PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.columns import BY_NAME
from sflow_pipeline.errors import FrameError
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.array_codec import decode_array


def is_resizable(modality: str, path: str) -> bool:
    """Whether a carried file can be resized.

    >>> is_resizable("flow", "a/flow/1.png"), is_resizable("depth", "a/depth/1.png")
    (False, True)
    """
    return PurePosixPath(path).suffix.lower() in BY_NAME[modality].resizes


def resize_picture(image: NDArray[np.uint8], size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) to ``size_px`` = (width, height), each pixel the mean of the area it covers."""
    return np.asarray(cv2.resize(image, size_px, interpolation=cv2.INTER_AREA), np.uint8)


def resize_nearest(plane: NDArray[Any], size_px: tuple[int, int]) -> NDArray[Any]:
    """(h, w) or (h, w, c) of any type to ``size_px`` = (width, height); values are kept, none is mixed.

    >>> resize_nearest(np.array([[1, 2], [3, 4]]), (4, 2)).tolist()
    [[1, 1, 2, 2], [3, 3, 4, 4]]
    """
    # Source pixel below each target pixel's centre; integer arithmetic, so equal on every machine.
    rows = (2 * np.arange(size_px[1]) + 1) * plane.shape[0] // (2 * size_px[1])
    columns = (2 * np.arange(size_px[0]) + 1) * plane.shape[1] // (2 * size_px[0])
    return np.ascontiguousarray(plane[rows[:, None], columns[None, :]])


def resize_carried(data: bytes, modality: str, path: str, size_px: tuple[int, int]) -> bytes:
    """A carried file at another size; flow vectors are scaled with it.

    Raises:
        FrameError: it cannot be decoded.
    """
    if path.lower().endswith(".png"):
        return image_codec.encode_plane(resize_nearest(image_codec.decode_plane(data, name=path), size_px))
    plane = load_array(data, path)
    resized = resize_nearest(plane, size_px)
    if BY_NAME[modality].is_motion:
        ratio = np.array([size_px[0] / plane.shape[1], size_px[1] / plane.shape[0]], np.float32)
        resized[..., :2] = (resized[..., :2] * ratio).astype(resized.dtype)
    buffer = io.BytesIO()
    np.save(buffer, resized, allow_pickle=False)
    return buffer.getvalue()


def load_array(data: bytes, path: str) -> NDArray[Any]:
    """The array of a ``.npy`` file, at least two-dimensional.

    Raises:
        FrameError: it is not such an array, or holds Python objects.
    """
    array = decode_array(data, path)
    if array.ndim < 2:
        raise FrameError(f"{path}: an array with height and width was expected", reason="unreadable")
    return array
