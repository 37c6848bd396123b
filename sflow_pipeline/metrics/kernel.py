"""Unbiased squared maximum mean discrepancy of two sets of features, with the cubic kernel of KID."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.metrics.frechet import check_features

SUBSETS = 100
SUBSET_SIZE = 1000
_SEED = 20180104


@dataclass(frozen=True)
class KernelDistance:
    """``value`` is the mean over subsets, ``spread`` their standard deviation (None with one subset)."""

    value: float
    spread: float | None
    subsets: int
    subset_size: int


def compute_kernel_distance(
    features: NDArray[np.floating],
    reference: NDArray[np.floating],
    *,
    subsets: int = SUBSETS,
    subset_size: int = SUBSET_SIZE,
) -> KernelDistance:
    """MMD² with k(x, y) = (x·y / d + 1)³, the mean over random subsets drawn without replacement (Bińkowski 2018).

    Unbiased, so it may be negative, and means the same at any number of images. A subset is as large as the smaller
    set allows; where it takes all of both sets, there is only one.

    Args:
        features: (n, d), n of at least 2.
        reference: (m, d), m of at least 2.
        subsets: how many subsets; the draw is the same every time.
        subset_size: images in each.

    Raises:
        ValueError: too few rows, other dimensions, or values that are not finite.
    """
    first, second = check_features(features, reference)
    size = min(subset_size, len(first), len(second))
    count = 1 if size == len(first) == len(second) else subsets
    rng = np.random.default_rng(_SEED)
    values = np.array(
        [
            compute_mmd2(
                first[rng.choice(len(first), size, replace=False)],
                second[rng.choice(len(second), size, replace=False)],
            )
            for _ in range(count)
        ]
    )
    return KernelDistance(float(values.mean()), float(values.std()) if count > 1 else None, count, size)


def compute_mmd2(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Unbiased MMD² of two (n, d) sets: pairs of an image with itself do not count.

    >>> round(compute_mmd2(np.eye(2), np.eye(2)[::-1]), 6)
    -2.375
    """
    within1, within2 = cubic_kernel(first, first), cubic_kernel(second, second)
    across = cubic_kernel(first, second)
    n, m = len(first), len(second)
    mean1 = (within1.sum() - np.trace(within1)) / (n * (n - 1))
    mean2 = (within2.sum() - np.trace(within2)) / (m * (m - 1))
    return float(mean1 + mean2 - 2.0 * across.mean())


def cubic_kernel(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m) values of k(x, y) = (x·y / d + 1)³ for (n, d) and (m, d) features."""
    kernel: NDArray[np.float64] = (first @ second.T / first.shape[1] + 1.0) ** 3
    return kernel
