"""Confusion, accuracy and IoU against scikit-learn, and what void and absent classes do."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score

from sflow_pipeline.metrics import compute_interval, compute_iou, compute_miou, compute_pixel_accuracy, count_confusion

CLASSES, VOID = 6, 5


@pytest.fixture
def maps() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, CLASSES, (40, 30)).astype(np.uint8)
    predicted = np.where(rng.random((40, 30)) < 0.6, truth, rng.integers(0, 5, (40, 30))).astype(np.uint8)
    return truth, predicted


def test_counts_and_scores_are_scikit_learns(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, predicted = maps
    counted = truth != VOID
    confusion = count_confusion(truth, predicted, CLASSES, VOID)
    assert np.array_equal(confusion, confusion_matrix(truth[counted], predicted[counted], labels=range(CLASSES)))
    assert compute_pixel_accuracy(confusion) == pytest.approx(accuracy_score(truth[counted], predicted[counted]))
    per_class = jaccard_score(truth[counted], predicted[counted], labels=range(5), average=None)
    assert compute_iou(confusion)[:5] == pytest.approx(per_class)
    assert compute_miou(confusion) == pytest.approx(per_class.mean())


def test_what_is_predicted_on_void_pixels_does_not_matter(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, predicted = maps
    other = np.where(truth == VOID, 4 - predicted % 5, predicted).astype(np.uint8)
    assert not np.array_equal(other, predicted)
    assert np.array_equal(
        count_confusion(truth, predicted, CLASSES, VOID), count_confusion(truth, other, CLASSES, VOID)
    )


def test_predicting_void_is_a_miss(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth = np.zeros((2, 4), np.uint8)
    predicted = np.array([[0, 0, 0, VOID], [0, 0, 0, VOID]], np.uint8)
    confusion = count_confusion(truth, predicted, CLASSES, VOID)
    assert compute_pixel_accuracy(confusion) == 0.75
    assert compute_iou(confusion)[0] == 0.75


def test_class_without_a_true_pixel_is_left_out_of_the_mean() -> None:
    truth = np.array([[0, 0, 1, 1]], np.uint8)
    predicted = np.array([[0, 2, 1, 1]], np.uint8)
    confusion = count_confusion(truth, predicted, 4, None)
    assert np.isnan(compute_iou(confusion)[2:]).all()
    assert compute_miou(confusion) == pytest.approx((0.5 + 1.0) / 2)
    assert compute_miou(confusion, channels=[1, 3]) == 1.0


def test_nothing_counted_has_no_score() -> None:
    confusion = count_confusion(np.full((2, 2), VOID, np.uint8), np.zeros((2, 2), np.uint8), CLASSES, VOID)
    assert np.isnan(compute_miou(confusion)) and np.isnan(compute_pixel_accuracy(confusion))


def test_order_of_images_and_pixels_does_not_matter(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, predicted = maps
    order = np.random.default_rng(2).permutation(truth.size)
    shuffled = count_confusion(truth.ravel()[order][None], predicted.ravel()[order][None], CLASSES, VOID)
    assert np.array_equal(shuffled, count_confusion(truth, predicted, CLASSES, VOID))


@pytest.mark.parametrize("predicted", [np.zeros((2, 3), np.uint8), np.full((2, 2), 9, np.uint8)])
def test_maps_that_do_not_fit_are_refused(predicted: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"differ in shape|expected less than 6"):
        count_confusion(np.zeros((2, 2), np.uint8), predicted, CLASSES, VOID)


def test_interval_of_a_proportion_is_the_binomial_one() -> None:
    """400 images of one pixel, 300 right: the bootstrap of their share is the binomial's ± 1.96·sqrt(pq/n)."""
    per_image = np.zeros((400, 2, 2), np.int64)
    per_image[:300, 0, 0] = 1
    per_image[300:, 0, 1] = 1
    interval = compute_interval(per_image, compute_pixel_accuracy)
    assert interval is not None
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert interval == pytest.approx((0.75 - half, 0.75 + half), abs=0.006)
    assert interval == compute_interval(per_image, compute_pixel_accuracy)


def test_equal_images_have_an_interval_of_no_width_and_one_image_has_none() -> None:
    confusion = np.array([[3, 1], [1, 3]])
    assert compute_interval(np.stack([confusion] * 5), compute_pixel_accuracy) == (0.75, 0.75)
    assert compute_interval(confusion[None], compute_pixel_accuracy) is None
