"""Optical flow in the files of simulators, against arithmetic by hand and OpenCV's writer."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.errors import FrameError
from sflow_pipeline.storage.flow_codec import decode_flow

FLOW = np.random.default_rng(0).uniform(-40, 40, (6, 9, 2)).astype(np.float32)


def as_npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def as_npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def as_png(samples: np.ndarray) -> bytes:
    return cv2.imencode(".png", samples[..., ::-1])[1].tobytes()


def test_flo_is_what_opencv_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.flo"
    cv2.writeOpticalFlow(str(path), FLOW)
    np.testing.assert_array_equal(decode_flow(path.read_bytes(), "a.flo"), FLOW)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.npy", as_npy(FLOW)),
        ("a.npz", as_npz(flow=FLOW)),
        ("a.npz", as_npz(u=FLOW[..., 0], v=FLOW[..., 1])),
        ("a.npz", as_npz(arr_0=FLOW)),
    ],
)
def test_arrays_keep_their_numbers(name: str, data: bytes) -> None:
    np.testing.assert_array_equal(decode_flow(data, name), FLOW)


def test_kitti_png() -> None:
    samples = np.array([[[32768 + 64, 32768 - 32, 1], [1, 2, 0]]], np.uint16)
    flow = decode_flow(as_png(samples), "a.png")
    assert flow[0, 0].tolist() == [1.0, -0.5]
    assert np.isnan(flow[0, 1]).all()


def test_virtual_kitti_png_is_in_units_of_the_picture() -> None:
    samples = np.zeros((5, 11, 3), np.uint16)
    samples[..., 0], samples[..., 1], samples[..., 2] = 65535, 0, 65535
    flow = decode_flow(as_png(samples), "a.png", "vkitti2")
    assert flow[2, 3].tolist() == [10.0, -4.0]


def test_values_that_are_not_finite_are_unknown() -> None:
    flow = FLOW.copy()
    flow[0, 0, 0], flow[1, 1, 1] = np.nan, np.inf
    decoded = decode_flow(as_npy(flow), "a.npy")
    assert np.isnan(decoded[0, 0]).all()
    assert np.isnan(decoded[1, 1]).all()
    assert np.isfinite(decoded).sum() == FLOW.size - 4


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.exr", b"v/1\x01", r"\.exr is not read"),
        ("a.png", as_png(np.zeros((4, 4, 3), np.uint8)), "three channels of 16 bits"),
        ("a.npy", as_npy(FLOW[..., 0]), r"flow is \(height, width, 2\)"),
        ("a.npy", as_npy(FLOW.astype("U4")), r"flow is \(height, width, 2\)"),
        ("a.npz", b"PK\x03\x04broken", "not a NumPy archive"),
        ("a.npz", as_npz(x=FLOW, y=FLOW), "arrays x, y"),
        ("a.flo", b"PIEH" + b"\xff" * 20, "do not hold flow"),
        ("a.flo", b"", r"not a \.flo file"),
    ],
)
def test_other_files_are_refused_in_words(name: str, data: bytes, text: str) -> None:
    with pytest.raises(FrameError, match=text):
        decode_flow(data, name)
