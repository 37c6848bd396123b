"""Confusion counts of one image: what every score of a segmentation is computed from."""

import numpy as np
from numpy.typing import NDArray


def count_confusion(
    truth: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: int, void: int | None
) -> NDArray[np.int64]:
    """Count pixels by true and predicted class.

    Args:
        truth: (h, w) channel of each pixel's true class; pixels of the channel ``void`` are not counted.
        predicted: (h, w) channel of the class that was predicted; void here is a wrong answer, not a missing one.
        classes: number of channels, void included.
        void: channel of the void class, None where there is none.

    Returns:
        (classes, classes) counts, rows by truth, columns by prediction; the row of void is zero.

    Raises:
        ValueError: shapes differ, or a channel is not below ``classes``.

    >>> count_confusion(np.array([[0, 1, 2]], np.uint8), np.array([[0, 0, 1]], np.uint8), classes=3, void=2).tolist()
    [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"truth {truth.shape} and prediction {predicted.shape} differ in shape")
    if truth.size and max(int(truth.max()), int(predicted.max())) >= classes:
        raise ValueError(f"channel {max(int(truth.max()), int(predicted.max()))}: expected less than {classes}")
    pairs = truth.astype(np.intp) * classes + predicted
    counts = np.bincount(pairs.ravel(), minlength=classes * classes).reshape(classes, classes)
    if void is not None:
        counts[void] = 0
    return counts.astype(np.int64, copy=False)
