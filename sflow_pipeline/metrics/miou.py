"""``miou``: intersection over union per class and its mean over the classes that occur in the truth."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.metrics.metric import ConfusionMetric


def compute_iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of every class, counted over all images together (not averaged over images).

    A class without a single true pixel has no score (NaN), however often it was predicted: those pixels already
    count against the classes that they really are.

    Args:
        confusion: (classes, classes) counts of ``count_confusion``, summed over images.

    Returns:
        (classes,) in [0, 1] or NaN.

    >>> compute_iou(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])).round(2).tolist()
    [0.75, 0.8, nan]
    """
    correct = np.diagonal(confusion)
    true_pixels = confusion.sum(axis=1)
    union = true_pixels + confusion.sum(axis=0) - correct
    return np.where(true_pixels > 0, correct / np.maximum(union, 1), np.nan)


def compute_miou(confusion: NDArray[np.int64], channels: Sequence[int] | None = None) -> float:
    """Mean of ``compute_iou`` over the classes that occur in the truth; NaN where none does.

    Args:
        confusion: (classes, classes) counts, summed over images.
        channels: average over these classes only (those of them that occur); all where None.

    >>> round(compute_miou(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])), 3)
    0.775
    """
    iou = compute_iou(confusion)
    chosen = iou if channels is None else iou[list(channels)]
    occurring = chosen[~np.isnan(chosen)]
    return float(occurring.mean()) if occurring.size else float("nan")


MIOU = ConfusionMetric(
    name="miou",
    protocol="intersection over union per class, all images together, mean over the classes in the row's truth",
    better="higher",
    shares_oracle=True,
    compute=compute_miou,
)
MIOU_COMMON = ConfusionMetric(
    name="miou_common",
    protocol="as miou, mean over the classes that occur in the truth of every row of the table",
    better="higher",
    shares_oracle=True,
    compute=compute_miou,
    classes="every_row",
    omitted_if_equal_to="miou",
)
