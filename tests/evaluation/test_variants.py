"""Variants of one frame are one draw of the bootstrap: they share its label and its scene."""

import numpy as np

from sflow_pipeline.evaluation.measures.measure import sum_by_sample
from sflow_pipeline.metrics import compute_interval, compute_pixel_accuracy


def test_repeating_every_picture_makes_no_interval_narrower() -> None:
    rng = np.random.default_rng(4)
    right = rng.integers(0, 100, 12)
    counts = np.stack([np.array([[r, 100 - r], [0, 50]]) for r in right])
    names = [f"s{i}" for i in range(12)]
    once, often = sum_by_sample(names, counts), sum_by_sample(names * 4, np.tile(counts, (4, 1, 1)))

    assert compute_interval(often, compute_pixel_accuracy) == compute_interval(once, compute_pixel_accuracy)
    assert (often == 4 * counts).all()
