"""``frechet_<extractor>``: Fréchet distance between Gaussians fitted to two sets of features."""

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.metrics.feature_sets import FeatureSets, Measured
from sflow_pipeline.metrics.metric import FeatureMetric

#: With fewer images a distance between distributions says nothing.
LEAST_IMAGES = 10


def measure_frechet(sets: FeatureSets) -> Measured | None:
    """Distance of a set of pictures to the real photos; None for the real photos themselves."""
    if sets.reference is None:
        return None
    (n, size), m = sets.features.shape, len(sets.reference)
    note = f"against {m} photos; no interval, because drawing images twice biases it"
    if min(n, m) <= size:
        note += f"; fewer images than the {size} dimensions: biased upwards, comparable at equal counts only"
    return Measured(compute_frechet(sets.features, sets.reference), note=note)


def compute_frechet(features: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """|μ₁ - μ₂|² + tr(Σ₁) + tr(Σ₂) - 2·tr((Σ₁Σ₂)^½), covariances with n - 1 (Heusel et al. 2017, eq. 6).

    With Σ = RᵀR the last trace is the sum of the singular values of R₁R₂ᵀ, so no root of an indefinite or singular
    matrix is ever taken: the result is exact to rounding also with fewer images than feature dimensions. With so
    few images it is still biased upwards, and only comparable at equal counts.

    Args:
        features: (n, d), n of at least 2.
        reference: (m, d), m of at least 2.

    Raises:
        ValueError: too few rows, other dimensions, or values that are not finite.

    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> round(compute_frechet(x + [3.0, 0.0, 4.0], x), 6)
    25.0
    """
    first, second = check_features(features, reference)
    shift = first.mean(axis=0) - second.mean(axis=0)
    root1, root2 = _factor_covariance(first), _factor_covariance(second)
    shared = np.linalg.svd(root1 @ root2.T, compute_uv=False).sum()
    distance = shift @ shift + (root1**2).sum() + (root2**2).sum() - 2.0 * shared
    return max(float(distance), 0.0)


def check_features(
    features: NDArray[np.floating], reference: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both sets in float64.

    Raises:
        ValueError: fewer than two rows, other dimensions, or values that are not finite.
    """
    if features.ndim != 2 or reference.ndim != 2 or features.shape[1] != reference.shape[1]:
        raise ValueError(f"features {features.shape} and {reference.shape}: expected (n, d) and (m, d)")
    if min(len(features), len(reference)) < 2:
        raise ValueError(f"{len(features)} and {len(reference)} images: at least 2 of each are needed")
    first, second = features.astype(np.float64), reference.astype(np.float64)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("features hold values that are not finite")
    return first, second


def _factor_covariance(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """R, (min(n, d), d), with RᵀR the covariance."""
    centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r"), np.float64)


FRECHET = FeatureMetric(
    name="frechet",
    protocol="Fréchet distance between Gaussians fitted to the features of the row and of the real photos",
    better="lower",
    compute=measure_frechet,
    known_as="fid",
    least_images=LEAST_IMAGES,
    needs_full_rank=True,
)
