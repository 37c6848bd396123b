"""NumPy ``.npy`` files from bytes, never as Python objects."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError


def decode_array(data: bytes, name: str) -> NDArray[Any]:
    """The array of a ``.npy`` file.

    Args:
        name: of the file, for errors.

    Raises:
        FrameError: the bytes are not such a file, or hold Python objects.
    """
    try:
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
    except (ValueError, OSError, EOFError) as error:
        raise FrameError(f"{name}: not a NumPy array file ({error})", reason="unreadable") from error
