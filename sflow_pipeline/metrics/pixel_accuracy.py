"""``pixel_accuracy``: the share of pixels that have a true class and were given it."""

import numpy as np
from numpy.typing import NDArray


def compute_pixel_accuracy(confusion: NDArray[np.int64]) -> float:
    """Correct over counted pixels, all images together; NaN where nothing was counted.

    Args:
        confusion: (classes, classes) counts of ``count_confusion``, summed over images.

    >>> compute_pixel_accuracy(np.array([[3, 1], [0, 4]]))
    0.875
    """
    counted = int(confusion.sum())
    return int(np.trace(confusion)) / counted if counted else float("nan")
