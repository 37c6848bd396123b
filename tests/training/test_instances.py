"""Instance boundaries: shown to generator and judge where a recipe asks and photos have them, and in use as well."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sflow_pipeline.bundle.alpha import draw_alpha
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.config.recipe import Recipe, load_recipe
from sflow_pipeline.errors import FrameError, TrainingError
from sflow_pipeline.storage.image_codec import decode_plane
from sflow_pipeline.tensors import build_boundary_map
from sflow_pipeline.training.data.crops import CropSampler
from sflow_pipeline.training.data.real_photos import load_real_photos
from sflow_pipeline.training.train import train


def draw_boundaries(instances: np.ndarray) -> np.ndarray:
    """pix2pixHD's definition, pixel by pixel."""
    height, width = instances.shape
    found = np.zeros((height, width), np.uint8)
    for y in range(height):
        for x in range(width):
            around = [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
            inside = [(v, u) for v, u in around if 0 <= v < height and 0 <= u < width]
            found[y, x] = any(instances[place] != instances[y, x] for place in inside)
    return found


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    """Seven photos 64x48, each a recording of its own: two cars that touch on a road."""
    root = tmp_path / "cityscapes"
    rng = np.random.default_rng(0)
    for i in range(7):
        instance = np.full((48, 64), 7, np.uint16)
        instance[20:40, 10:30], instance[20:40, 30 : 40 + i] = 26000, 26001
        label = np.where(instance == 7, 7, 26).astype(np.uint8)
        photo = rng.integers(0, 255, (48, 64, 3)).astype(np.uint8)
        pictures = {
            "img/{}_leftImg8bit": photo,
            "label/{}_gtFine_labelIds": label,
            "inst/{}_gtFine_instanceIds": instance,
        }
        for name, picture in pictures.items():
            path = root / f"train_{name.format(f'town_00000{i}_000019')}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture)
    return root


def ask(recipe: Recipe, use_instances: bool | str) -> Recipe:
    fields = recipe.model_dump()
    fields["generator"]["use_instances"] = use_instances
    return Recipe.model_validate(fields)


def test_boundaries_are_pix2pixhds() -> None:
    instances = np.random.default_rng(0).integers(0, 2, (6, 9))
    found = build_boundary_map(torch.from_numpy(instances)[None])[0, 0].numpy()
    np.testing.assert_array_equal(found, draw_boundaries(instances))


def test_crops_show_where_two_cars_touch(cityscapes: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    photos, held_out = load_real_photos(str(cityscapes), ask(tiny_recipe, True), tmp_path / "cache")
    assert (len(photos), len(held_out)) == (6, 1)
    np.testing.assert_array_equal(np.unique(photos.read_instances(0)), [0, 1, 2])
    whole = tiny_recipe.schedule.model_copy(update={"crop_px": (48, 64), "scale": (1.0, 1.0)})
    batch = CropSampler(photos, whole, seed=1).cut_batch(0, 6)
    assert batch.boundary_map is not None
    for class_index, boundary in zip(batch.class_index.numpy(), batch.boundary_map[:, 0].numpy(), strict=True):
        inside_cars = boundary.astype(bool) & (cv2.erode(np.uint8(class_index == 8), np.ones((5, 5))) > 0)
        assert inside_cars.any(axis=0).sum() == 2  # the labels alone do not tell the two apart


def test_a_bundle_paints_from_instances_and_says_so_when_there_are_none(
    cityscapes: Path, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    summary = train(ask(tiny_recipe, "auto"), str(cityscapes), tmp_path / "run")
    assert summary.bundle.recipe.generator.use_instances is True
    translator = Translator(summary.bundle, "cpu", "fp32")
    rng = np.random.default_rng(3)
    render = rng.integers(0, 256, (1, 32, 48, 3), dtype=np.uint8)
    classes, alpha = np.full((1, 32, 48), 8, np.uint8), draw_alpha(0, "s", 0)[None]
    one = np.zeros((1, 32, 48), np.int64)
    two = one.copy()
    two[:, :, 24:] = 1
    photos = [translator.translate(classes, render, alpha, instances).photo for instances in (one, two)]
    assert (photos[0] != photos[1]).any()
    with pytest.raises(FrameError, match="no instance file") as caught:
        translator.translate(classes, render, alpha)
    assert "trained without" in caught.value.hint


def test_auto_is_settled_by_the_photos(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    summary = train(ask(tiny_recipe, "auto"), str(camvid), tmp_path / "run")
    assert summary.bundle.recipe.generator.use_instances is False
    assert "use_instances: false" in (summary.bundle.path / "recipe.yaml").read_text()


def test_photos_without_instances_are_refused(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"8 of 8 photos have no instances, first train/0001TP_000000\.png"
    ) as caught:
        train(ask(tiny_recipe, True), str(camvid), tmp_path / "run", on_progress=lambda _: pytest.fail("a step"))
    assert "use_instances=auto" in caught.value.hint


def test_an_instance_file_of_another_size(cityscapes: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    path = cityscapes / "train_inst" / "town_000003_000019_gtFine_instanceIds.png"
    cv2.imwrite(str(path), np.zeros((24, 64), np.uint16))
    with pytest.raises(TrainingError, match=r"town_000003.*64x24 pixels, its picture has 64x48"):
        load_real_photos(str(cityscapes), ask(tiny_recipe, True), tmp_path / "cache")


@pytest.mark.parametrize(("written", "value"), [("auto", "auto"), ("true", True), ("False", False)])
def test_a_recipe_says_it_in_words(tmp_path: Path, written: str, value: bool | str) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    assert load_recipe(tmp_path / "recipe.yaml", {"generator.use_instances": written}).generator.use_instances == value


def test_genuine_cityscapes(shared_data: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    root = shared_data / "cityscapes-sample" / "datasets" / "cityscapes"
    photos, held_out = load_real_photos(str(root), ask(tiny_recipe, True), tmp_path / "cache")
    assert (len(photos), len(held_out)) == (3, 1)
    name = photos.facts[0].name.rpartition("/")[2]
    (path,) = root.glob(f"train_inst/{name}*")
    place = np.s_[400:440, 900:960]
    theirs = draw_boundaries(decode_plane(path.read_bytes())[place].astype(int))
    ours = build_boundary_map(torch.from_numpy(photos.read_instances(0)[place].astype(int))[None])[0, 0].numpy()
    assert theirs.any()
    np.testing.assert_array_equal(ours, theirs)
