"""Diversity of variants against LPIPS's formula written out in NumPy."""

import numpy as np
import pytest
import torch

from sflow_pipeline.evaluation.measures.perceptual_diversity import compute_perceptual_distance
from sflow_pipeline.metrics import compute_mean_interval


def test_distance_is_that_of_lpips_without_weights() -> None:
    rng = np.random.default_rng(0)
    maps = [[rng.normal(size=(1, c, s, s)).astype(np.float32) for c, s in ((4, 8), (6, 4))] for _ in range(2)]
    expected = 0.0
    for first, second in zip(*maps, strict=True):
        positions = []
        for y in range(first.shape[2]):
            for x in range(first.shape[3]):
                a, b = first[0, :, y, x], second[0, :, y, x]
                positions.append(((a / np.linalg.norm(a) - b / np.linalg.norm(b)) ** 2).sum())
        expected += float(np.mean(positions))
    tensors = [[torch.from_numpy(array) for array in picture] for picture in maps]
    assert compute_perceptual_distance(*tensors) == pytest.approx(expected, rel=1e-5)
    assert compute_perceptual_distance(tensors[0], tensors[0]) == 0.0


def test_interval_of_a_mean_covers_what_theory_says() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    low, high = compute_mean_interval(np.stack([values, np.ones(400)], axis=1)) or (0.0, 0.0)
    half = 1.96 * values.std() / np.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.05)
    assert high == pytest.approx(values.mean() + half, abs=0.05)
    assert compute_mean_interval(np.ones((1, 2))) is None
