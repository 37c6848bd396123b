"""``pixel_accuracy``: the share of pixels that have a true class and were given it."""

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.metrics.metric import ConfusionMetric


def compute_pixel_accuracy(confusion: NDArray[np.int64]) -> float:
    """Correct over counted pixels, all images together; NaN where nothing was counted.

    Args:
        confusion: (classes, classes) counts of ``count_confusion``, summed over images.

    >>> compute_pixel_accuracy(np.array([[3, 1], [0, 4]]))
    0.875
    """
    counted = int(confusion.sum())
    return int(np.trace(confusion)) / counted if counted else float("nan")


PIXEL_ACCURACY = ConfusionMetric(
    name="pixel_accuracy",
    label="accuracy",
    protocol="share of the pixels with a scored true class whose predicted class is that one, all images together",
    better="higher",
    compute=lambda confusion, _channels: compute_pixel_accuracy(confusion),
)
