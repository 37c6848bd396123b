"""A stored file, ``{bytes, path}``, as numbers; for rows that other libraries read, too."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from numpy.typing import NDArray

from sflow_pipeline.columns import PICTURE_SUFFIXES
from sflow_pipeline.errors import FrameError
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.array_codec import decode_array


def read_array(stored: Mapping[str, Any]) -> NDArray[Any]:
    """The numbers of a file column (instance, depth, flow, occlusion, label, edge, …), exactly as the file holds them.

    For rows read with `datasets` (columns that it does not decode), Ray Data, pandas or Polars (every file column).

    Args:
        stored: the column's value in a row: ``{"bytes": …, "path": …}``.

    Returns:
        (h, w) or (h, w, channels) of the file's own type, channels in file order: uint8 or uint16 of a PNG, any type of
        a ``.npy`` file.

    Raises:
        FrameError: the file is damaged, or neither a PNG, JPEG or WebP nor a ``.npy`` file.

    >>> import numpy as np
    >>> plane = np.array([[34420]], np.uint16)
    >>> read_array({"bytes": image_codec.encode_uint16(plane), "path": "depth/0001.png"}).tolist()
    [[34420]]
    """
    name = str(stored["path"] or "file")
    content = decode_stored_file(stored, name)
    if isinstance(content, bytes):
        raise FrameError(
            f"{name}: not a PNG, JPEG, WebP or .npy file", hint="its bytes are under `bytes`", reason="unreadable"
        )
    return content


def decode_stored_file(stored: Mapping[str, Any], name: str) -> NDArray[Any] | bytes:
    """As ``read_array``; other files as their bytes. ``name`` is used in errors."""
    data = bytes(stored["bytes"])
    suffix = PurePosixPath(stored["path"] or "").suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return image_codec.decode_plane(data, name=name)
    return decode_array(data, name) if suffix == ".npy" else data
