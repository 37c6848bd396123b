"""The ratio of kernel distances against the formula of the paper, and its bootstrap against repeated experiments."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from sflow_pipeline.metrics import GroupedFeatures, compute_kernel_ratio, compute_mmd2
from sflow_pipeline.metrics.grouped_kernel import compute_kernel_interval


def mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Bińkowski et al. 2018, section 4 with equation 4 of Gretton et al. 2012: sums over pairs, written out."""
    n, m = len(x), len(y)
    within_x = sum(polynomial_kernel(x[i : i + 1], x[j : j + 1])[0, 0] for i in range(n) for j in range(n) if i != j)
    within_y = sum(polynomial_kernel(y[i : i + 1], y[j : j + 1])[0, 0] for i in range(m) for j in range(m) if i != j)
    across = polynomial_kernel(x, y).mean()
    return float(within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * across)


def draw_frames(rng: np.random.Generator, frames: int, crops: int, shift: float) -> GroupedFeatures:
    """Crops scatter around their frame, frames around ``shift``."""
    centres = rng.normal(size=(frames, 1, 6)) * 0.5 + shift
    features = (centres + rng.normal(size=(frames, crops, 6))).reshape(-1, 6)
    return GroupedFeatures(features, np.repeat(np.arange(frames), crops), frames)


def test_ratio_is_that_of_the_published_distance() -> None:
    rng = np.random.default_rng(0)
    converted, rendered, photos = (draw_frames(rng, n, 3, shift) for n, shift in ((8, 0.3), (8, 0.8), (11, 0.0)))
    found = compute_kernel_ratio(converted, rendered, photos)
    assert found.numerator == pytest.approx(mmd2(converted.features, photos.features), rel=1e-9)
    assert found.denominator == pytest.approx(mmd2(rendered.features, photos.features), rel=1e-9)
    assert found.value == pytest.approx(found.numerator / found.denominator)


def test_interval_is_as_wide_as_experiments_scatter() -> None:
    """Frames drawn anew scatter about as widely as the bootstrap over one draw of them says."""
    rng = np.random.default_rng(1)
    values, widths = [], []
    for _ in range(60):
        converted, rendered = draw_frames(rng, 20, 4, 0.6), draw_frames(rng, 20, 4, 1.2)
        found = compute_kernel_ratio(converted, rendered, draw_frames(rng, 60, 2, 0.0), replicates=200)
        assert found.interval is not None
        values.append(found.value)
        widths.append(found.interval[1] - found.interval[0])
    low, high = np.quantile(values, [0.025, 0.975])
    assert np.median(widths) == pytest.approx(high - low, rel=0.4)


def test_no_interval_for_few_frames_and_no_ratio_over_nothing() -> None:
    rng = np.random.default_rng(2)
    photos = draw_frames(rng, 30, 2, 0.0)
    few = compute_kernel_ratio(draw_frames(rng, 3, 9, 0.5), draw_frames(rng, 3, 9, 1.0), photos)
    assert few.interval is None and np.isfinite(few.value)
    same = compute_kernel_ratio(photos, photos, photos)
    assert same.denominator < 0  # unbiased, and each crop has its copy in the other set
    assert np.isnan(same.value) and same.interval is None


def test_other_frames_are_refused() -> None:
    rng = np.random.default_rng(3)
    photos = draw_frames(rng, 6, 2, 0.0)
    with pytest.raises(ValueError, match="same frames"):
        compute_kernel_ratio(draw_frames(rng, 5, 2, 0.0), photos, photos)


def test_interval_of_a_distance_is_as_wide_as_experiments_scatter() -> None:
    rng = np.random.default_rng(4)
    values, widths, covered = [], [], 0
    truth = np.mean([compute_mmd2(rng.normal(size=(40, 6)) + 0.5, rng.normal(size=(50, 6))) for _ in range(300)])
    for _ in range(40):
        first, second = (
            GroupedFeatures(rng.normal(size=(n, 6)) + shift, np.arange(n), n) for n, shift in ((40, 0.5), (50, 0.0))
        )
        values.append(compute_mmd2(first.features, second.features))
        low, high = compute_kernel_interval(first, second, replicates=200) or (0.0, 0.0)
        widths.append(high - low)
        covered += low < truth < high
    low, high = np.quantile(values, [0.025, 0.975])
    assert np.median(widths) == pytest.approx(high - low, rel=0.5)
    assert covered >= 32
    assert compute_kernel_interval(draw_frames(rng, 4, 9, 0.5), draw_frames(rng, 9, 1, 0.0)) is None
