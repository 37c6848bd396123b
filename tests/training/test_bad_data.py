"""Everything that can be wrong with training data is said before the first step."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.config.recipe import Recipe, load_recipe
from sflow_pipeline.errors import ConfigError, OutputError, SflowError, TrainingError, UsageError
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.training.data.real_photos import load_real_photos
from sflow_pipeline.training.train import train


def refuse(recipe: Recipe, data: Path, tmp_path: Path) -> SflowError:
    with pytest.raises(SflowError) as caught:
        train(recipe, str(data), tmp_path / "out", on_progress=lambda _: pytest.fail("a step was taken"))
    assert caught.value.hint
    return caught.value


def test_a_photo_without_label(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    (camvid / "trainannot" / "0001TP_000003.png").unlink()
    assert "0001TP_000003.png" in str(refuse(tiny_recipe, camvid, tmp_path))


def test_a_label_without_photo(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    (camvid / "train" / "0001TP_000003.png").unlink()
    assert "trainannot/0001TP_000003.png" in str(refuse(tiny_recipe, camvid, tmp_path))


def test_sizes_that_differ(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    cv2.imwrite(str(camvid / "trainannot" / "0001TP_000002.png"), np.zeros((24, 64), np.uint8))
    message = str(refuse(tiny_recipe, camvid, tmp_path))
    assert message == f"data {camvid}: trainannot/0001TP_000002.png: 64x24 pixels, its picture has 64x48"


def test_ids_outside_the_label_space(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    cv2.imwrite(str(camvid / "trainannot" / "0001TP_000001.png"), np.full((48, 64), 77, np.uint8))
    error = refuse(tiny_recipe, camvid, tmp_path)
    assert "trainannot/0001TP_000001.png: label ids 77 on 100.00% of the pixels" in str(error)
    assert "--label-space" not in error.hint  # which train does not have


def test_an_empty_split(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    recipe = Recipe.model_validate(tiny_recipe.model_dump() | {"data": {"split": "trian"}})
    assert "split 'trian' is empty; there are train" in str(refuse(recipe, camvid, tmp_path))


def test_too_few_photos_for_a_batch(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    schedule = tiny_recipe.schedule.model_dump() | {"batch_size": 9}
    recipe = Recipe.model_validate(tiny_recipe.model_dump() | {"schedule": schedule})
    assert "7 photos to train on and 1 held out, batches need 9" in str(refuse(recipe, camvid, tmp_path))


def test_a_truncated_photo(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    path = camvid / "train" / "0001TP_000004.png"
    path.write_bytes(path.read_bytes()[:200])
    message = str(refuse(tiny_recipe, camvid, tmp_path))
    assert message.startswith(f"data {camvid}: train/0001TP_000004.png: cut short")


def test_a_folder_that_is_not_ours(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    error = refuse(tiny_recipe, camvid, tmp_path)
    assert isinstance(error, OutputError)
    assert "thesis.tex" in str(error)


@pytest.mark.parametrize("content", [None, b"no tensors at all"], ids=["missing", "damaged"])
def test_unreadable_perceptual_weights(
    camvid: Path, tiny_recipe: Recipe, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "vgg.safetensors"
    if content:
        path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"vgg\.safetensors: cannot be read") as caught:
        train(tiny_recipe, str(camvid), tmp_path / "out", perceptual=path)
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_recipe_key_that_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\nschedule: {bach_size: 4}\n")
    with pytest.raises(ConfigError, match=r"schedule\.bach_size") as caught:
        load_recipe(tmp_path / "recipe.yaml")
    assert "batch_size" in f"{caught.value} {caught.value.hint}"


def test_numbers_are_read_as_numbers(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\nschedule: {lr_generator: 2e-4}\n")
    assert load_recipe(tmp_path / "recipe.yaml", {"schedule.batch_size": "4"}).schedule.lr_generator == 0.0002


def test_photos_in_an_archive_are_the_photos_unpacked(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", camvid)
    plain, archived = (load_real_photos(str(data), tiny_recipe, tmp_path / "cache") for data in (camvid, packed))
    for one, other in zip(plain, archived, strict=True):
        assert len(one) == len(other) > 0
        for i in range(len(one)):
            assert all(np.array_equal(a, b) for a, b in zip(one.read(i), other.read(i), strict=True))


def test_a_photo_that_the_disk_will_not_give(
    camvid: Path, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Folder, path: str) -> bytes:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(Folder, "read_bytes", fail)
    assert "Input/output error" in str(refuse(tiny_recipe, camvid, tmp_path))
    assert not list((tmp_path / "out").rglob("photos.bin*"))


def test_a_device_that_does_not_exist(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--device gpu: no such device"):
        train(tiny_recipe, str(camvid), tmp_path / "out", device="gpu")


def test_crops_smaller_than_what_judges_move_them_by(tiny_recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(tiny_recipe.model_dump_json())
    with pytest.raises(ConfigError, match="crop_px"):
        load_recipe(tmp_path, {"schedule.crop_px": "[8, 64]"})
