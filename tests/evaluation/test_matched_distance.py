"""``skvd`` and ``ckvd`` against a reference in plain NumPy and scikit-learn, with colours in place of a network."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import polynomial_kernel

from sflow_pipeline.evaluation.measures.matched_crops import cut_labelled_crops, match_crops
from sflow_pipeline.evaluation.measures.matched_distance import MatchedDistance
from sflow_pipeline.evaluation.measures.measure import Observations, observe_all
from sflow_pipeline.evaluation.measures.registry import MeasureInputs, build_measures
from sflow_pipeline.evaluation.photos import open_photos
from sflow_pipeline.evaluation.reference_networks.extractor import Extractor
from sflow_pipeline.evaluation.reference_networks.feature_depths import open_depths
from sflow_pipeline.evaluation.reference_networks.kinds import load_network_spec
from sflow_pipeline.label_spaces import load_label_space

Write = Callable[..., Path]
CAMVID = load_label_space("camvid11")


class Colors:
    """Two depths: mean colour, and mean of its square."""

    extractor = SimpleNamespace(name="colors", digest="0123456789abcdef")
    is_relative = False

    def pool(self, pictures: torch.Tensor) -> list[np.ndarray]:
        return [pictures.mean(dim=(2, 3)).numpy(), pictures.square().mean(dim=(2, 3)).numpy()]


def observe(measure: Any, path: Path, *, is_oracle: bool = False) -> Observations:
    return observe_all(Observations(open_photos(str(path)), is_oracle=is_oracle), [measure], None, lambda: None)


def compute_reference(own: np.ndarray, other: np.ndarray) -> float:
    """KID's estimator as published."""
    n, dimensions = own.shape
    kernels = [
        polynomial_kernel(a, b, degree=3, gamma=1 / dimensions, coef0=1)
        for a, b in ((own, own), (other, other), (own, other))
    ]
    within = [(kernel.sum() - np.trace(kernel)) / (n * (n - 1)) for kernel in kernels[:2]]
    return float(sum(within) - 2 * kernels[2].mean())


def list_crops(path: Path, per_frame: int) -> list[Any]:
    crops = []
    for photo in open_photos(str(path)).read():
        channels = np.where(photo.label_map == 11, 255, photo.label_map).astype(np.uint8)
        crops += cut_labelled_crops(photo.photo, channels, photo.sample_id, per_frame)
    return crops


@pytest.fixture
def sets(tmp_path: Path, write_photos: Write) -> tuple[Path, Path]:
    """Pictures of few classes, so that most labels match; some of the first are painted wrongly."""
    own = write_photos(tmp_path / "own", 30, wrong=0.3, seed=1, ids=2)
    for frame in range(4):
        label = np.full((48, 64), 7, np.uint8)
        cv2.imwrite(str(own / "s" / "semantic" / f"{frame:03}.png"), label)
    return own, write_photos(tmp_path / "real", 40, seed=2, ids=2)


def test_distances_are_those_of_a_reference_in_numpy(sets: tuple[Path, Path]) -> None:
    measure = MatchedDistance(Colors(), CAMVID)  # type: ignore[arg-type]
    row, oracle = observe(measure, sets[0]), observe(measure, sets[1], is_oracle=True)
    scores = measure.score(row, [row, oracle]).scores
    own, real = list_crops(sets[0], 4), list_crops(sets[1], 4)
    pairs = []
    for crop in own:
        agreements = [float(np.mean(crop.layout == other.layout)) for other in real]
        best = int(np.argmax(agreements))
        if agreements[best] > 0.5:
            pairs.append((crop, real[best]))
    assert 50 <= len(pairs) < len(own)

    def measure_pairs(paint: Callable[[Any], torch.Tensor], chosen: list[Any]) -> float:
        depths = []
        for power in (1, 2):
            sides = [np.stack([(paint(p[i]) ** power).mean(dim=(0, 2, 3)).numpy() for p in chosen]) for i in (0, 1)]
            depths.append(compute_reference(*sides))
        return float(np.mean(depths))

    assert scores["skvd_colors"].value == pytest.approx(measure_pairs(lambda crop: crop.picture, pairs), rel=1e-4)
    low, high = scores["skvd_colors"].interval or (0.0, 0.0)
    assert low < scores["skvd_colors"].value < high
    by_class = {}
    for channel in range(11):
        both = [p for p in pairs if all((crop.channels == channel).mean() > 0.05 for crop in p)]
        if len(both) >= 20:
            by_class[channel] = measure_pairs(
                lambda crop, channel=channel: crop.picture * torch.from_numpy(crop.channels == channel), both
            )
    assert len(by_class) == 2
    assert scores["ckvd_colors"].value == pytest.approx(np.mean(list(by_class.values())), rel=1e-4)
    for score in scores.values():
        assert f"{len(pairs)} matched of 120 crops of 30 frames, 160 crops of 40 photos" in score.note
        assert "sha256 0123456789ab" in score.note


def test_true_colours_are_nearer_than_wrong_ones(tmp_path: Path, sets: tuple[Path, Path], write_photos: Write) -> None:
    measure = MatchedDistance(Colors(), CAMVID)  # type: ignore[arg-type]
    wrong, oracle = observe(measure, sets[0]), observe(measure, sets[1], is_oracle=True)
    right = observe(measure, write_photos(tmp_path / "right", 30, seed=1, ids=2))
    values = [measure.score(row, [right, wrong, oracle]).scores["skvd_colors"].value for row in (right, wrong)]
    assert values[0] is not None and values[1] is not None
    assert values[0] < values[1] / 3


def test_too_few_crops_are_refused_with_the_number_needed(tmp_path: Path, write_photos: Write) -> None:
    measure = MatchedDistance(Colors(), CAMVID)  # type: ignore[arg-type]
    few, oracle = (
        observe(measure, write_photos(tmp_path / "few", 3, ids=2)),
        observe(measure, write_photos(tmp_path / "real", 4, ids=2, seed=1), is_oracle=True),
    )
    for score in measure.score(few, [few, oracle]).scores.values():
        assert score.value is None
        assert "at least 50 matched crops are needed; evaluate more frames" in score.note


def test_void_matches_nothing() -> None:
    void = np.full((1, 256), 255, np.uint8)
    assert len(match_crops(void, void).own) == 0


def test_only_vgg_gives_kernel_vgg_distances(shared_data: Path) -> None:
    folder = shared_data / "perceptual"
    found = {}
    for name in ("hed_vgg16_bsds500", "squeezenet1_0_imagenet"):
        extractor = Extractor(load_network_spec(folder / f"{name}.safetensors", what="extractor"), "cpu")
        depths = open_depths(extractor, "cpu")
        inputs = MeasureInputs(None, extractor, depths, CAMVID)
        found[name] = {metric.name for measure in build_measures(inputs) for metric in measure.metrics}
    assert {"skvd_hed-vgg-16", "ckvd_hed-vgg-16", "perceptual_diversity_hed-vgg-16"} <= found["hed_vgg16_bsds500"]
    assert not any("kvd" in name for name in found["squeezenet1_0_imagenet"])
    assert "perceptual_diversity_squeezenet1.0" in found["squeezenet1_0_imagenet"]
