"""Diversity of variants against LPIPS's formula written out in NumPy."""

from itertools import combinations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sflow_pipeline.evaluation.measures.measure import Observations, observe_all
from sflow_pipeline.evaluation.measures.perceptual_diversity import PerceptualDiversity, compute_perceptual_distance
from sflow_pipeline.evaluation.photo_source import LabelledPhoto
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


def test_draws_without_items_do_not_count_as_zero() -> None:
    assert compute_mean_interval(np.array([[10.0, 2.0], [0.0, 0.0]])) == (5.0, 5.0)
    assert compute_mean_interval(np.zeros((3, 2))) is None


class Pixels:
    """Two depths: the picture, and every second pixel of it."""

    extractor = SimpleNamespace(name="pixels", digest="0123456789abcdef")

    def extract_maps(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        return [pictures, pictures[:, :, ::2, ::2]]


class Variants:
    """Two frames of three pictures each, wide enough not to be resized."""

    variants = 3

    def __init__(self) -> None:
        rng = np.random.default_rng(2)
        self.photos = rng.integers(0, 256, (2, 3, 32, 256, 3), np.uint8)

    def __len__(self) -> int:
        return 6

    def read(self) -> Any:
        for frame in range(2):
            for variant in range(3):
                yield LabelledPhoto(f"s/{frame}", variant, self.photos[frame, variant], np.zeros((32, 256), np.uint8))


def test_diversity_is_the_mean_over_pairs_of_variants() -> None:
    source, measure = Variants(), PerceptualDiversity(Pixels())  # type: ignore[arg-type]
    row = observe_all(Observations(source), [measure], None, lambda: None)  # type: ignore[arg-type]
    score = measure.score(row, [row]).scores["perceptual_diversity_pixels"]
    distances = []
    for frame in source.photos / 127.5 - 1:
        unit = frame / np.linalg.norm(frame, axis=-1, keepdims=True)
        for a, b in combinations(unit, 2):
            squares = ((a - b) ** 2).sum(axis=-1)
            distances.append(squares.mean() + squares[::2, ::2].mean())
    assert len(distances) == 6
    assert score.value == pytest.approx(np.mean(distances), rel=1e-5)
    assert score.note.startswith("6 pairs of variants of 2 frames; pixels, sha256 0123456789ab")
    assert score.interval is not None and score.interval[0] <= score.value <= score.interval[1]
