"""Outlines of a label: found in the picture that it belongs to, and nowhere else."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sflow_pipeline.bundle.label_outlines import BEST, compare_outlines

VOID = 7


def draw_street(seed: int) -> NDArray[np.uint8]:
    """(192, 256) classes: sky, road, and a dozen boxes of other classes at the height of the horizon."""
    rng = np.random.default_rng(seed)
    label = np.zeros((192, 256), np.uint8)
    label[100:] = 1
    for _ in range(12):
        left, top = int(rng.integers(0, 220)), int(rng.integers(40, 100))
        label[top : top + rng.integers(20, 60), left : left + rng.integers(10, 40)] = rng.integers(2, 6)
    return label


def draw_picture(label: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Classes in colours of their own, each with a texture of stripes, blurred and with noise."""
    rng = np.random.default_rng(seed)
    colors = rng.integers(40, 200, (8, 3))
    rows, columns = np.indices(label.shape)
    stripes = 20 * np.sin((rows * (label % 3) + columns * (label % 2 + 1)) / 3)[..., None]
    picture = colors[label] + stripes + rng.normal(0, 5, (*label.shape, 3))
    return np.asarray(cv2.GaussianBlur(picture.clip(0, 255).astype(np.uint8), (0, 0), 0.8))


@pytest.mark.parametrize("seed", range(5))
def test_a_label_of_the_same_street_and_a_shifted_label_are_seen(seed) -> None:
    label = draw_street(seed)
    picture = draw_picture(label, seed)
    right = compare_outlines(picture, label, VOID)
    others = [draw_street(seed + 10), label[:, ::-1], np.roll(label, 8, axis=1), np.roll(label, -8, axis=1)]
    assert right > 2 * max(compare_outlines(picture, other, VOID) for other in others)


def test_light_and_a_label_drawn_by_hand_change_little() -> None:
    label = draw_street(3)
    picture = draw_picture(label, 3)
    right = compare_outlines(picture, label, VOID)
    dark = (picture * 0.4).astype(np.uint8)
    loose = np.asarray(cv2.medianBlur(np.roll(label, 1, axis=1), 5))
    assert compare_outlines(dark, label, VOID) > 0.7 * right
    assert compare_outlines(picture, loose, VOID) > 0.7 * right


def test_outlines_of_void_are_left_out() -> None:
    """Void covers a region whose outline is not in the picture, as labels of photos do."""
    label = draw_street(4)
    picture = draw_picture(label, 4)
    with_void = label.copy()
    with_void[30:150, 100:110] = VOID
    kept = compare_outlines(picture, with_void, VOID)
    assert kept > compare_outlines(picture, with_void, None)
    assert kept > 0.9 * compare_outlines(picture, label, VOID)


@pytest.mark.parametrize("shape", [(192, 256), (32, 48), (4, 4), (1, 1)])
def test_a_label_without_outlines_passes(shape) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert compare_outlines(picture, np.zeros(shape, np.uint8), VOID) == BEST
    assert compare_outlines(picture, np.full(shape, VOID, np.uint8), VOID) == BEST


def test_a_blank_picture_fails() -> None:
    assert abs(compare_outlines(np.full((192, 256, 3), 90, np.uint8), draw_street(0), VOID)) < 0.1
