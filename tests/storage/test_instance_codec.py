"""Numbers of instance files differ wherever the files' samples do."""

import io
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from sflow_pipeline.storage.instance_codec import decode_instance


@pytest.mark.parametrize(
    "colors",
    [
        np.array([[65536, 0], [0, 1], [65536, 1]], np.int32),
        np.array([[-1, 0], [0, 65535], [0, -1]], np.int64),
        np.array([[0, 0, 0, 0, 1], [0, 0, 0, 0, 2], [1, 0, 0, 0, 1]], np.uint8),
        np.array([[1, 2, 3, 4], [1, 2, 3, 65535], [2, 2, 3, 4]], np.uint16),
    ],
    ids=["wide", "negative", "five channels", "packed"],
)
def test_objects_stay_apart(colors: NDArray[np.integer]) -> None:
    plane = np.stack([colors, colors[::-1]])
    stream = io.BytesIO()
    np.save(stream, plane)
    numbers = decode_instance(stream.getvalue(), name="1.npy")
    for one, other in combinations(np.ndindex(numbers.shape), 2):
        assert (numbers[one] == numbers[other]) == np.array_equal(plane[one], plane[other])
