"""Structure checks: another light passes, an object that vanished or came up does not."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sflow_pipeline.bundle.metadata import STRUCTURE_CHECKS
from sflow_pipeline.bundle.structure import check_structure

ROAD, CAR, VOID = 0, 1, 2


@pytest.fixture
def street() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A blurred random picture with a striped car in it, and its label."""
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(60, 120, (24, 32, 3), np.uint8), (256, 192), interpolation=cv2.INTER_CUBIC)
    label = np.full((192, 256), ROAD, np.uint8)
    label[100:140, 60:120] = CAR
    picture[100:140, 60:120] = np.where(np.arange(60)[None, :, None] % 12 < 6, 230, 20)
    return picture, label


def test_the_same_street_in_another_light_passes(street) -> None:
    picture, label = street
    darker = (picture * 0.7 + 20).astype(np.uint8)
    assert min(check_structure(picture, darker, label, VOID).values()) > 0.75


def test_detail_that_the_generator_adds_to_flat_places_passes(street) -> None:
    """Road of the render is flat, that of the image has a grain: nothing that the render shows is gone."""
    picture, label = street
    flat = picture.copy()
    flat[label == ROAD] = 90
    grain = np.random.default_rng(1).normal(0, 20, (*label.shape, 1))
    grained = np.clip(flat + np.where((label == ROAD)[..., None], grain, 0), 0, 255).astype(np.uint8)
    checks = check_structure(flat, grained, label, VOID)
    assert checks["structure_kept"] > 0.7
    assert checks["structure_object"] > 0.9


def test_an_object_that_vanished_is_seen(street) -> None:
    picture, label = street
    erased = picture.copy()
    erased[100:140, 60:120] = 90
    checks = check_structure(picture, erased, label, VOID)
    assert set(checks) == set(STRUCTURE_CHECKS)
    assert checks["structure_kept"] < 0.3
    assert checks["structure_object"] < 0.5
    is_void = np.where(label == CAR, VOID, label).astype(np.uint8)
    assert check_structure(picture, erased, is_void, VOID)["structure_object"] == 1.0


def test_an_object_that_came_up_is_seen(street) -> None:
    picture, label = street
    added = picture.copy()
    added[20:50, 180:220] = cv2.resize(picture[100:140, 60:120], (40, 30))
    checks = check_structure(picture, added, label, VOID)
    assert checks["structure_alike"] < 0.4
    assert checks["structure_object"] > 0.9


def test_a_few_pixels_of_a_small_object_may_change(street) -> None:
    """A far figure whose head the generator paints otherwise is still there; one that is gone is not."""
    picture, label = street
    picture, label = picture.copy(), label.copy()
    figure = np.s_[60:84, 200:208]
    label[figure] = CAR
    picture[figure] = 30
    picture[62:67, 200:208] = 200
    changed, gone = picture.copy(), picture.copy()
    changed[62:67, 200:208] = 60
    gone[56:88, 196:212] = street[0][56:88, 196:212]
    changed_checks, gone_checks = (check_structure(picture, image, label, VOID) for image in (changed, gone))
    assert changed_checks["structure_object"] > 0.75 > 0.5 > gone_checks["structure_object"]
    assert changed_checks["structure_kept"] > gone_checks["structure_kept"] + 0.2
