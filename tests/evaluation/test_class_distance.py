"""``class_kid`` and ``class_gain`` against NumPy and scikit-learn, with colours in place of a network."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics.pairwise import polynomial_kernel

from sflow_pipeline.evaluation.measures.class_distance import ClassDistance
from sflow_pipeline.evaluation.measures.measure import Observations, observe_all
from sflow_pipeline.evaluation.photos import open_photos
from sflow_pipeline.label_spaces import load_label_space

CAMVID = load_label_space("camvid11")
ROAD, TREE = 3, 5
COLORS = {ROAD: (90, 90, 95), TREE: (50, 110, 40)}
SIZE_PX = (768, 384)


class Colors:
    """Maps of mean colours, at strides of 8, 16 and 32 px."""

    extractor = SimpleNamespace(name="colors", digest="0123456789abcdef")

    def extract_maps(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        return [F.avg_pool2d(pictures, stride) for stride in (8, 16, 32)]


def write_street(root: Path, frames: int, road_share: float, gain: float = 1.0, seed: int = 0) -> Path:
    """Road below a slanted border, trees above; every frame has a light of its own."""
    rng = np.random.default_rng(seed)
    width, height = SIZE_PX
    for frame in range(frames):
        border = height * (1 - road_share) + np.linspace(-20, 20, width) * rng.uniform(-1, 1)
        label = np.where(np.arange(height)[:, None] > border, ROAD, TREE).astype(np.uint8)
        picture = np.zeros((height, width, 3), np.float32)
        light = rng.uniform(0.8, 1.2)
        for channel, color in COLORS.items():
            picture[label == channel] = np.array(color) * light * gain
        picture += rng.normal(0, 6, picture.shape)
        for folder, image in (("rgb", picture.clip(0, 255).astype(np.uint8)[..., ::-1]), ("semantic", label)):
            path = root / "s" / folder / f"{frame:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)
    (root / "dataset.yaml").write_text("label_space: camvid11\n", encoding="utf-8")
    return root


def observe(path: Path, *, is_oracle: bool = False) -> Observations:
    measure = ClassDistance(Colors(), CAMVID)  # type: ignore[arg-type]
    return observe_all(Observations(open_photos(str(path)), is_oracle=is_oracle), [measure], None, lambda: None)


def score(own: Observations, photos: Observations) -> dict[str, float | None]:
    measure = ClassDistance(Colors(), CAMVID)  # type: ignore[arg-type]
    return {name: each.value for name, each in measure.score(own, [own, photos]).scores.items()}


def list_tiles(root: Path, channel: int) -> np.ndarray:
    """Mean colour in [-1, 1] of the class's whole cells in every tile with 1,500 px of them."""
    found = []
    for path in sorted((root / "s" / "rgb").glob("*.png")):
        picture = cv2.imread(str(path))[..., ::-1] / 127.5 - 1.0
        label = cv2.imread(str(root / "s" / "semantic" / path.name), cv2.IMREAD_UNCHANGED)
        for top in range(0, SIZE_PX[1], 192):
            for left in range(0, SIZE_PX[0], 192):
                squares = [
                    np.s_[y : y + 16, x : x + 16]
                    for y in range(top, top + 192, 16)
                    for x in range(left, left + 192, 16)
                ]
                cells = [picture[s].mean(axis=(0, 1)) for s in squares if (label[s] == channel).mean() > 0.9]
                if len(cells) * 256 >= 1500:
                    found.append(np.mean(cells, axis=0))
    return np.stack(found)


def compute_reference(own: np.ndarray, other: np.ndarray) -> float:
    """KID's estimator as published, for sets of two sizes."""
    kernels = [polynomial_kernel(a, b, degree=3, gamma=1 / 3, coef0=1) for a, b in ((own, own), (other, other))]
    within = [(kernel.sum() - np.trace(kernel)) / (len(kernel) * (len(kernel) - 1)) for kernel in kernels]
    return float(sum(within) - 2 * polynomial_kernel(own, other, degree=3, gamma=1 / 3, coef0=1).mean())


def test_distance_is_the_mean_over_classes_of_a_reference_in_numpy(tmp_path: Path) -> None:
    own, real = write_street(tmp_path / "own", 6, 0.4, gain=1.3), write_street(tmp_path / "real", 8, 0.6, seed=1)
    expected = []
    for channel in COLORS:
        tiles = [list_tiles(root, channel) for root in (own, real)]
        scale = np.sqrt((tiles[1] ** 2).mean(axis=0))
        expected.append(compute_reference(*(each / scale for each in tiles)))
    found = score(observe(own), observe(real, is_oracle=True))
    assert found == {"class_kid_colors": pytest.approx(np.mean(expected), rel=1e-3)}


def test_what_is_in_the_pictures_does_not_count_but_how_it_looks(tmp_path: Path) -> None:
    """Streets with little road, of the photos' colours and of other ones, beside photos with much of it."""
    photos = observe(write_street(tmp_path / "real", 24, 0.7, seed=1), is_oracle=True)
    alike = observe(write_street(tmp_path / "alike", 24, 0.3, seed=2))
    other = observe(write_street(tmp_path / "other", 24, 0.3, gain=1.5, seed=2))
    near, far = (score(row, photos)["class_kid_colors"] for row in (alike, other))
    assert near is not None and far is not None
    assert abs(near) < 0.05 * far


def test_gain_is_the_distance_over_that_of_the_rendered_frames(tmp_path: Path) -> None:
    photos = observe(write_street(tmp_path / "real", 12, 0.5, seed=1), is_oracle=True)
    rendered = observe(write_street(tmp_path / "rendered", 6, 0.5, gain=1.6))
    row = observe(write_street(tmp_path / "converted", 6, 0.5, gain=1.3))
    apart = [score(each, photos)["class_kid_colors"] for each in (row, rendered)]
    row.rendered = rendered
    found = ClassDistance(Colors(), CAMVID).score(row, [row, photos]).scores["class_gain_colors"]  # type: ignore[arg-type]
    assert apart[0] is not None and apart[1] is not None
    assert found.value == pytest.approx(apart[0] / apart[1])
    assert found.interval is not None and found.interval[0] < found.value < found.interval[1] < 1


def test_too_few_tiles_are_a_dash_with_the_number_that_is_needed(tmp_path: Path) -> None:
    row, photos = (observe(write_street(tmp_path / name, 1, 0.5, seed=i)) for i, name in enumerate(("own", "real")))
    measure = ClassDistance(Colors(), CAMVID)  # type: ignore[arg-type]
    found = measure.score(row, [row, photos]).scores
    assert found["class_kid_colors"].value is None
    assert "no class has 12 tiles in both" in found["class_kid_colors"].note
