"""NumPy ``.npy`` files from bytes, never as Python objects; the header is checked before memory is set aside."""

import io
import math
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError


def decode_array(data: bytes, name: str) -> NDArray[Any]:
    """The array of a ``.npy`` file.

    Args:
        name: of the file, for errors.

    Raises:
        FrameError: the bytes are not such a file, hold Python objects, or fewer or more values than the header states.
    """
    try:
        return _read(data)
    except ValueError as error:
        raise FrameError(f"{name}: not a NumPy array file ({error})", reason="unreadable") from error


def _read(data: bytes) -> NDArray[Any]:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise ValueError(f"format {version[0]}.{version[1]} is not read")
    try:
        shape, is_fortran, dtype = read_header(stream)
    except (SyntaxError, TypeError, RecursionError, MemoryError, TokenError) as error:
        raise ValueError(f"its header is damaged: {error}") from error
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    left = len(data) - stream.tell()
    if math.prod(shape) * dtype.itemsize != left or dtype.itemsize == 0:
        raise ValueError(f"{left} bytes of values, its header says {dtype} of shape {shape}")
    values = np.frombuffer(data, dtype, offset=stream.tell())
    return values.reshape(shape, order="F" if is_fortran else "C").copy()
