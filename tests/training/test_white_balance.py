"""White balance: roads of tinted photos become grey, judged by OpenCV's Lab; what cannot be judged stays as it is."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.training.data.real_photos import load_real_photos
from sflow_pipeline.training.data.white_balance import balance_white

SPACE = load_label_space("camvid11")


def make_street(road: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photo (96, 128) with a road of a colour below a blue sky, a little noise everywhere, and its classes."""
    labels = np.zeros((96, 128), np.uint8)
    labels[40:] = 3
    photo = np.where(labels[..., None] == 3, road, (120, 160, 220))
    return (photo + np.random.default_rng(0).integers(-8, 9, photo.shape)).astype(np.uint8), labels


def measure_chroma(photo: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """Distance of the mean colour from grey, in Lab."""
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[where]
    return float(np.hypot(*lab.mean(axis=0)[1:]))


def test_a_greenish_road_becomes_grey_and_the_rest_moves_with_it() -> None:
    photo, labels = make_street((90, 104, 88))
    road = labels == 3
    before, half, after = (
        measure_chroma(balance_white(photo, labels, SPACE, share), road) for share in (0.0, 0.5, 1.0)
    )
    assert before > 7
    assert 0.35 * before < half < 0.65 * before
    assert after < 1
    balanced = balance_white(photo, labels, SPACE, 1.0)
    assert balanced[~road][:, 1].mean() < photo[~road][:, 1].mean() - 5  # the sky is less green, too
    assert abs(balanced.mean() - photo.mean()) < 4  # and the picture as bright as before


@pytest.mark.parametrize("road", [(90, 104, 88), (12, 18, 11)], ids=["no road in the label", "too dark"])
def test_a_photo_that_says_nothing_about_its_light_stays_as_it_is(road: tuple[int, int, int]) -> None:
    photo, labels = make_street(road)
    if road[0] > 50:
        labels[:] = 0
    assert np.array_equal(balance_white(photo, labels, SPACE, 1.0), photo)


def test_an_orange_light_is_not_taken_away_altogether() -> None:
    photo, labels = make_street((200, 120, 40))
    balanced = balance_white(photo, labels, SPACE, 1.0)[labels == 3].mean(axis=0)
    assert balanced[0] > 1.5 * balanced[2]


def test_the_setting_is_each_folders_own(tmp_path: Path) -> None:
    for folder in ("plain", "balanced"):
        for i in range(8):
            photo, labels = make_street((90, 104, 88))
            for kind, picture in (("train", photo[..., ::-1]), ("trainannot", labels)):
                (tmp_path / folder / kind).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(tmp_path / folder / kind / f"0001TP_{i:06d}.png"), picture)
    recipe = Recipe.model_validate({"name": "tiny", "data": {"sources": [{}, {"white_balance": 1.0}]}})
    folders = [str(tmp_path / folder) for folder in ("plain", "balanced")]
    photos, _ = load_real_photos(folders, recipe, tmp_path / "cache")
    chroma = {
        photos.facts[i].name.split(":")[0]: measure_chroma(photos.read(i)[0], photos.read(i)[1] == 3)
        for i in range(len(photos))
    }
    assert chroma["0"] > 7
    assert chroma["1"] < 1
