"""Percentile bootstrap over images: how much a number would move with other images of the same kind."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

REPLICATES = 1000
COVERAGE = 0.95
_SEED = 20190521


def compute_interval(
    per_image: NDArray[np.int64], score: Callable[[NDArray[np.int64]], float], replicates: int = REPLICATES
) -> tuple[float, float] | None:
    """95 % interval of a score that is computed from summed counts.

    Images are drawn with replacement. Frames of one sequence resemble each other, so for videos the true interval
    is wider.

    Args:
        per_image: (n, classes, classes) counts, one matrix an image.
        score: summed counts to a number; NaN where it means nothing.
        replicates: how many sets of images are drawn; the draw is the same every time.

    Returns:
        (low, high), None with fewer than two images or where no draw has a score.
    """
    images = len(per_image)
    if images < 2:
        return None
    draws = _draw_images(images, replicates)
    # Counts stay below 2^53, so the fast floating-point product is exact.
    sums = np.tensordot(draws.astype(np.float64), per_image.astype(np.float64), axes=1)
    return compute_draw_interval(np.array([score(counts) for counts in sums.astype(np.int64)]))


def compute_draw_interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """95 % interval of a score from its values in bootstrap draws, NaN where a draw has none; None without values."""
    found = values[~np.isnan(values)]
    if not found.size:
        return None
    low, high = np.quantile(found, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)


def compute_mean_interval(per_image: NDArray[np.float64], replicates: int = REPLICATES) -> tuple[float, float] | None:
    """95 % interval of a mean over items that belong to images.

    Args:
        per_image: (n, 2) sum over the items of an image, and their number.
        replicates: how many sets of images are drawn; the draw is the same every time.

    Returns:
        (low, high), None with fewer than two images or without items. Draws without items do not count.
    """
    images = len(per_image)
    if images < 2:
        return None
    sums = _draw_images(images, replicates) @ per_image
    return compute_draw_interval(np.where(sums[:, 1] > 0, sums[:, 0] / np.maximum(sums[:, 1], 1.0), np.nan))


def _draw_images(images: int, replicates: int) -> NDArray[np.int64]:
    """(replicates, images) how often each image is in a draw."""
    return np.random.default_rng(_SEED).multinomial(images, np.full(images, 1.0 / images), size=replicates)
