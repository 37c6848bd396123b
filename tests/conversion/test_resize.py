"""Resizing against OpenCV, and flow against its meaning."""

import io

import cv2
import numpy as np
import pytest

from sflow_pipeline.conversion.resize import resize_carried, resize_nearest
from sflow_pipeline.errors import FrameError
from sflow_pipeline.storage.image_codec import decode_plane, encode_uint16


@pytest.mark.parametrize("size_px", [(24, 16), (48, 32), (17, 11), (96, 64)])
def test_nearest_agrees_with_opencv(size_px):
    plane = np.random.default_rng(0).integers(0, 255, (32, 48), np.uint8)
    expected = cv2.resize(plane, size_px, interpolation=cv2.INTER_NEAREST_EXACT)
    np.testing.assert_array_equal(resize_nearest(plane, size_px), expected)


def test_depth_keeps_its_values():
    plane = np.random.default_rng(0).integers(0, 65536, (8, 8)).astype(np.uint16)
    resized = decode_plane(resize_carried(encode_uint16(plane), "depth", "d.png", (4, 4)))
    assert resized.dtype == np.uint16
    assert set(resized.ravel().tolist()) <= set(plane.ravel().tolist())


def test_flow_is_scaled():
    buffer = io.BytesIO()
    np.save(buffer, np.full((8, 16, 2), [4.0, 6.0], np.float32))
    resized = np.load(io.BytesIO(resize_carried(buffer.getvalue(), "flow", "f.npy", (8, 2))))
    assert resized.shape == (2, 8, 2)
    assert resized[0, 0].tolist() == [2.0, 1.5]


def test_pickled_arrays_are_refused():
    buffer = io.BytesIO()
    np.save(buffer, np.array([[{"a": 1}]], dtype=object), allow_pickle=True)
    with pytest.raises(FrameError):
        resize_carried(buffer.getvalue(), "depth", "d.npy", (4, 4))
