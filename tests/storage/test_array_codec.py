"""Array files: read as NumPy reads them, and refused before memory is set aside where the header lies."""

import io

import numpy as np
import pytest

from sflow_pipeline.errors import FrameError
from sflow_pipeline.storage.array_codec import decode_array


def _save(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.arange(12, dtype=">u2").reshape(3, 4)),
        np.zeros((0, 3), np.int8),
        np.array(5.5),
        np.array(["ab", "c"]),
    ],
)
def test_reads_what_numpy_writes(array: np.ndarray) -> None:
    found = decode_array(_save(array), "a.npy")
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)
    assert found.flags.writeable or not array.size


def test_refuses_lies_and_objects() -> None:
    whole = _save(np.zeros((8, 8), np.float32))
    for damaged in (
        whole[:-1],
        whole + b"x",
        whole.replace(b"(8, 8)", b"(9**9,)"[:6]),
        whole.replace(b"(8, 8)", b"(99999999999, 99999999999)"),
        whole.replace(b"<f4", b"|O "),
        whole[:20],
        b"",
        b"\x93NUMPY\x09\x09" + whole[8:],
        _save(np.array([{}], object)),
        whole.replace(b"{", b"["),
    ):
        with pytest.raises(FrameError, match=r"a\.npy: not a NumPy array file"):
            decode_array(damaged, "a.npy")
