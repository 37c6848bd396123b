"""How low thresholds lie: a margin below the worst photo for most checks, the photos' spread for those of structure."""

import numpy as np
import pytest

from sflow_pipeline.bundle.gate_calibration import choose_least


@pytest.fixture
def kept() -> list[float]:
    return np.random.default_rng(0).normal(0.8, 0.02, 99).tolist()


def test_thresholds_of_structure_lie_by_the_spread_of_the_photos_below_the_median(kept: list[float]) -> None:
    least = choose_least([{"structure_kept": value, "miou": value} for value in kept], 1.0)
    low, median = np.quantile(kept, [0.05, 0.5])
    assert least["structure_kept"] == pytest.approx(median - 3 * (median - low), abs=1e-4)
    assert least["miou"] == pytest.approx(min(kept) - 0.1 * (median - min(kept)), abs=1e-4)


def test_an_odd_photo_passes_and_moves_no_more_than_it_must(kept: list[float]) -> None:
    def find(odd: float) -> float:
        return choose_least([{"structure_kept": value} for value in [*kept, odd]], 1.0)["structure_kept"]

    assert find(0.72) == pytest.approx(find(0.8), abs=0.01)  # before, by as much as it lies below the others
    assert find(0.5) < 0.5
