"""The segmenter learns what the photos show, resumes, and joins a bundle without changing what it paints."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sflow_pipeline.bundle import Bundle, build_random_bundle, load_bundle
from sflow_pipeline.bundle.alpha import draw_alpha
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import BundleError, UsageError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.segmenters.segmenter import Segmenter
from sflow_pipeline.networks.segmenters.segmenters import build_segmenter
from sflow_pipeline.tensors import to_unit_range
from sflow_pipeline.training.data.class_weights import compute_class_weights
from sflow_pipeline.training.data.photo_set import PhotoEntry, PhotoFacts, PhotoSet, pack_photo_set
from sflow_pipeline.training.data.real_photos import load_real_photos
from sflow_pipeline.training.run.loop import TrainingProgress
from sflow_pipeline.training.segmenter import train_segmenter
from sflow_pipeline.training.train import train


class StopError(Exception):
    pass


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def recipe(tiny_recipe: Recipe) -> Recipe:
    settings = {
        "images": 96, "width": 6, "batch_size": 4, "crop_px": (32, 48), "scale": (0.8, 1.0), "lr": 1e-2,
        "checkpoint_every_images": 32,
    }  # fmt: skip
    return Recipe.model_validate(tiny_recipe.model_dump() | {"segmenter": settings})


def paint(bundle: Bundle) -> np.ndarray:
    rng = np.random.default_rng(3)
    render = rng.integers(0, 256, (1, 40, 56, 3), dtype=np.uint8)
    classes = rng.integers(0, 12, (1, 40, 56), dtype=np.uint8)
    return Translator(bundle, "cpu", "fp32").translate(classes, render, draw_alpha(0, "s", 0)[None]).photo


def test_a_whole_run_puts_a_segmenter_that_works_into_the_bundle(camvid: Path, recipe: Recipe, tmp_path: Path) -> None:
    stages: list[str] = []
    summary = train(recipe, str(camvid), tmp_path / "run", on_progress=lambda p: stages.append(p.stage))
    assert list(dict.fromkeys(stages)) == ["laplacian", "joint", "segmenter"]
    bundle = load_bundle(tmp_path / "run" / "bundle")
    scores = bundle.metadata.metrics.segmenter
    assert scores is not None
    assert scores == summary.segmenter
    assert scores.pixel_accuracy > 0.9
    assert scores.miou > 0.8
    assert scores.held_out_photos == 1

    # What is stored says the same as what was scored.
    state = bundle.read_segmenter()
    assert state is not None
    network = Segmenter(12, bundle.recipe.segmenter.width)
    network.load_state_dict(state)
    _, held_out = load_real_photos(str(camvid), recipe, tmp_path / "cache")
    photo, truth = held_out.read(0)
    with torch.no_grad():
        seen = network(to_unit_range(torch.from_numpy(photo.copy()).permute(2, 0, 1)[None])).argmax(dim=1)[0].numpy()
    assert (seen == truth).mean() == pytest.approx(scores.pixel_accuracy, abs=1e-4)


def test_only_the_segmenter_joins_a_bundle_that_paints_as_before(camvid: Path, recipe: Recipe, tmp_path: Path) -> None:
    before = build_random_bundle(tmp_path / "run" / "bundle")
    picture, weights = paint(before), (before.path / "weights.safetensors").read_bytes()
    assert before.read_segmenter() is None
    summary = train(recipe, str(camvid), tmp_path / "run", only="segmenter")
    after = load_bundle(before.path)
    assert after.digest == before.digest == summary.bundle.digest
    assert (after.path / "weights.safetensors").read_bytes() == weights
    assert (paint(after) == picture).all()
    assert after.metadata.metrics.segmenter == summary.segmenter
    assert after.recipe.generator == before.recipe.generator
    path = after.path / "segmenter.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(BundleError, match=r"segmenter\.safetensors has sha256"):
        after.read_segmenter()
    assert (paint(after) == picture).all()


@pytest.mark.parametrize("encoder", ["plain", "efficientnet_lite0"])
def test_interrupted_and_resumed_gives_the_same_weights(
    camvid: Path, recipe: Recipe, tmp_path: Path, encoder: str
) -> None:
    segmenter = recipe.segmenter.model_dump() | {"encoder": encoder, "mixing": 0.5, "frame_width_px": (48, 80)}
    recipe = Recipe.model_validate(recipe.model_dump() | {"segmenter": segmenter})
    space = load_label_space(recipe.label_space)
    photos, _ = load_real_photos(str(camvid), recipe, tmp_path / "cache")
    state = train_segmenter(recipe, space, photos, tmp_path / "straight")
    picture = to_unit_range(torch.from_numpy(photos.read(0)[0].copy()).permute(2, 0, 1)[None])
    for _ in range(2):  # what a bundle stores says the same, however often it is asked for
        stored = build_segmenter(recipe.segmenter, space.num_classes)
        stored.load_state_dict(state.to_stored())
        with torch.no_grad():
            assert torch.allclose(stored(picture), state.network(picture), atol=1e-3)

    def stop(progress: TrainingProgress) -> None:
        if progress.images_seen >= 48:
            raise StopError

    with pytest.raises(StopError):
        train_segmenter(recipe, space, photos, tmp_path / "resumed", on_progress=stop)
    resumed: list[int] = []
    train_segmenter(recipe, space, photos, tmp_path / "resumed", on_progress=lambda p: resumed.append(p.images_seen))
    assert resumed[0] == 36  # the checkpoint at 32 images, then one step
    name = "checkpoint-000000096.safetensors"
    a, b = load_file(tmp_path / "straight" / name), load_file(tmp_path / "resumed" / name)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert len((tmp_path / "straight" / "losses.csv").read_text().split()) > 2
    assert (tmp_path / "straight" / "losses.csv").read_text() == (tmp_path / "resumed" / "losses.csv").read_text()


def test_another_generator_keeps_the_segmenter(camvid: Path, recipe: Recipe, tmp_path: Path) -> None:
    first = train(recipe, str(camvid), tmp_path / "first").bundle
    segmenter = recipe.segmenter.model_dump() | {"images": 0}
    other = Recipe.model_validate(recipe.model_dump() | {"segmenter": segmenter, "seed": 9})
    second = train(other, str(camvid), tmp_path / "second", start=first).bundle
    assert second.digest != first.digest
    ours, theirs = first.read_segmenter(), second.read_segmenter()
    assert ours is not None and theirs is not None
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert second.metadata.gate == first.metadata.gate
    assert second.metadata.metrics.segmenter == first.metadata.metrics.segmenter


def test_rare_classes_weigh_more_and_void_nothing(tmp_path: Path) -> None:
    truth = np.full((10, 10), 3, np.uint8)
    truth[0, :4] = 9
    truth[9] = 11  # camvid11's void
    photos: PhotoSet = pack_photo_set([PhotoEntry(PhotoFacts("a"), np.zeros((10, 10, 3), np.uint8), truth)], tmp_path)
    weights = compute_class_weights(photos, load_label_space("camvid11")).numpy()
    common, rare = 86 / 90, 4 / 90
    assert weights[9] / weights[3] == pytest.approx((common / rare) ** 0.5)
    assert weights[3] * common + weights[9] * rare == pytest.approx(1)
    assert weights[11] == 0


def test_it_says_what_it_needs(camvid: Path, tiny_recipe: Recipe, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"segmenter\.images: 0") as caught:
        train(tiny_recipe, str(camvid), tmp_path / "run", only="segmenter")
    assert "--set segmenter.images" in caught.value.hint
    segmenter = recipe.segmenter.model_dump() | {"encoder": "efficientnet_lite0"}
    encoded = Recipe.model_validate(recipe.model_dump() | {"segmenter": segmenter})
    with pytest.raises(UsageError, match="whose ImageNet weights are missing") as caught:
        train(encoded, str(camvid), tmp_path / "other")
    assert "--projection" in caught.value.hint
    with pytest.raises(BundleError, match=r"no bundle\.yaml in"):
        train(recipe, str(camvid), tmp_path / "run", only="segmenter")
