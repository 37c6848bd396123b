"""Distances between feature sets against SciPy, scikit-learn, and Gaussians whose distance is known."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import polynomial_kernel

from sflow_pipeline.metrics import compute_diversity, compute_frechet, compute_kernel_distance, compute_mmd2


@pytest.fixture
def sets() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    mix = rng.normal(size=(8, 8))
    return rng.normal(size=(60, 8)) @ mix, rng.normal(size=(45, 8)) * 1.5 + 0.3


def frechet_by_scipy(first: np.ndarray, second: np.ndarray) -> float:
    cov1, cov2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    shift = first.mean(axis=0) - second.mean(axis=0)
    return float(shift @ shift + np.trace(cov1 + cov2 - 2.0 * np.real(sqrtm(cov1 @ cov2))))


def whiten(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """Rows with mean exactly 0 and covariance exactly the identity."""
    q, _ = np.linalg.qr(np.column_stack([np.ones(count), rng.normal(size=(count, size))]))
    return q[:, 1:] * np.sqrt(count - 1)


def test_frechet_is_the_published_formula(sets: tuple[np.ndarray, np.ndarray]) -> None:
    assert compute_frechet(*sets) == pytest.approx(frechet_by_scipy(*sets), rel=1e-9)
    assert compute_frechet(*sets) == pytest.approx(compute_frechet(*sets[::-1]), rel=1e-9)


def test_frechet_of_known_gaussians() -> None:
    """N(0, I) and N(m, diag(s²)): |m|² + Σ (1 - s)²."""
    rng = np.random.default_rng(4)
    shift, scale = np.array([1.0, -2.0, 0.5, 0.0]), np.array([1.0, 2.0, 0.1, 3.0])
    expected = (shift**2).sum() + ((1 - scale) ** 2).sum()
    distance = compute_frechet(whiten(rng, 50, 4), whiten(rng, 80, 4) * scale + shift)
    assert distance == pytest.approx(expected, rel=1e-9)


def test_frechet_with_fewer_images_than_dimensions_stays_exact() -> None:
    """Ten images of 64 dimensions: covariances are singular, a common shift is still all the difference."""
    first = np.random.default_rng(5).normal(size=(10, 64))
    assert compute_frechet(first, first) == pytest.approx(0.0, abs=1e-9)
    assert compute_frechet(first + 0.5, first) == pytest.approx(64 * 0.25, rel=1e-9)


def test_frechet_bears_features_of_very_unequal_scale() -> None:
    scale = np.array([1e-6, 1.0, 1e4])
    rng = np.random.default_rng(6)
    first, second = whiten(rng, 40, 3) * scale, whiten(rng, 40, 3) * scale * 2
    assert compute_frechet(first, second) == pytest.approx((scale**2).sum(), rel=1e-9)


def test_float32_features_lose_nothing(sets: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = (features.astype(np.float32) for features in sets)
    assert compute_frechet(first, second) == compute_frechet(first.astype(np.float64), second.astype(np.float64))


def test_mmd_is_scikit_learns_kernel_without_the_diagonal(sets: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = sets
    within = [polynomial_kernel(s, s, degree=3, gamma=1 / 8, coef0=1) for s in sets]
    across = polynomial_kernel(first, second, degree=3, gamma=1 / 8, coef0=1)
    means = [k[~np.eye(len(k), dtype=bool)].mean() for k in within]
    assert compute_mmd2(first, second) == pytest.approx(sum(means) - 2 * across.mean(), rel=1e-9)


def test_kernel_distance_takes_everything_once_where_it_can() -> None:
    rng = np.random.default_rng(7)
    first, second = rng.normal(size=(30, 5)), rng.normal(size=(30, 5)) + 1
    found = compute_kernel_distance(first, second)
    assert (found.subsets, found.subset_size, found.spread) == (1, 30, None)
    assert found.value == pytest.approx(compute_mmd2(first, second), rel=1e-9)


def test_kernel_distance_over_subsets_means_the_same_at_any_count() -> None:
    rng = np.random.default_rng(8)
    first, second = rng.normal(size=(400, 5)), rng.normal(size=(300, 5)) + 0.8
    small, large = (compute_kernel_distance(first, second, subset_size=size) for size in (40, 300))
    assert small.spread is not None and large.spread is not None and small.spread > large.spread
    assert small.value == pytest.approx(large.value, abs=4 * small.spread / np.sqrt(small.subsets))


def test_kernel_distance_of_one_distribution_is_nothing_on_average() -> None:
    rng = np.random.default_rng(9)
    values = [compute_mmd2(rng.normal(size=(20, 4)), rng.normal(size=(20, 4))) for _ in range(300)]
    assert min(values) < 0 < max(values)
    assert np.mean(values) == pytest.approx(0.0, abs=3 * np.std(values) / np.sqrt(len(values)))


def test_order_of_images_does_not_matter(sets: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = sets
    order = np.random.default_rng(10).permutation(len(first))
    assert compute_frechet(first[order], second) == pytest.approx(compute_frechet(first, second), rel=1e-9)
    assert compute_mmd2(first[order], second) == pytest.approx(compute_mmd2(first, second), rel=1e-9)
    assert compute_diversity(first[order]) == pytest.approx(compute_diversity(first), rel=1e-9)


def test_diversity_is_the_mean_pairwise_distance(sets: tuple[np.ndarray, np.ndarray]) -> None:
    assert compute_diversity(sets[0]) == pytest.approx(pdist(sets[0]).mean(), rel=1e-9)


def test_diversity_between_variants_looks_at_no_other_pair() -> None:
    features = np.array([[0.0], [1.0], [100.0], [103.0], [50.0]])
    assert compute_diversity(features, ["a", "a", "b", "b", "c"]) == pytest.approx((1 + 3) / 2)
    assert np.isnan(compute_diversity(features, list("abcde")))


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        (np.zeros((1, 4)), np.zeros((5, 4)), "at least 2"),
        (np.zeros((5, 4)), np.zeros((5, 3)), r"\(n, d\)"),
        (np.full((5, 4), np.nan), np.zeros((5, 4)), "not finite"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(first: np.ndarray, second: np.ndarray, rule: str) -> None:
    for compute in (compute_frechet, compute_kernel_distance):
        with pytest.raises(ValueError, match=rule):
            compute(first, second)
