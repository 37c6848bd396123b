"""Several data folders: label spaces mapped by concept, weights that hold, true labels for what is scored, and time."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sflow_pipeline.config.recipe import Recipe, load_recipe
from sflow_pipeline.errors import TrainingError, UsageError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.training.data.crops import CropSampler
from sflow_pipeline.training.data.photo_set import PhotoEntry, PhotoFacts, PhotoSet, pack_photo_set
from sflow_pipeline.training.data.real_photos import load_real_photos, load_renders
from sflow_pipeline.training.train import train


@pytest.fixture
def towns(tmp_path: Path) -> Path:
    """Two towns in the plain layout: four photos of 80x60 and two of 40x60, all road, by Cityscapes' train ids."""
    root = tmp_path / "towns"
    rng = np.random.default_rng(1)
    for town, frames, width in (("ghent", (3, 4, 5, 9), 80), ("pune", (0, 1), 40)):
        for frame in frames:
            for folder, picture in (
                ("rgb", rng.integers(0, 255, (60, width, 3), np.uint8)),
                ("semantic", np.zeros((60, width), np.uint8)),
            ):
                path = root / town / folder / f"{frame:04d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), picture)
    (root / "dataset.yaml").write_text("label_space: cityscapes19\n")
    return root


def load(camvid: Path, towns: Path, recipe: Recipe, tmp_path: Path) -> tuple[PhotoSet, PhotoSet]:
    return load_real_photos([str(camvid), str(towns)], recipe, tmp_path / "cache")


def test_photos_of_another_label_space_are_mapped_by_concept(
    camvid: Path, towns: Path, change_recipe: Callable, tmp_path: Path
) -> None:
    photos, held_out = load(camvid, towns, change_recipe(data={"sources": [{}, {"labels": "pseudo"}]}), tmp_path)
    assert (len(photos), len(held_out)) == (7 + 6, 1)
    road = next(i for i, c in enumerate(load_label_space("camvid11").classes) if c.name.lower() == "road")
    of_towns = [i for i, facts in enumerate(photos.facts) if facts.labels == "pseudo"]
    assert {photos.size_px(i) for i in of_towns} == {(60, 80), (60, 40)}
    assert all((photos.read(i)[1] == road).all() for i in of_towns)
    assert [facts.labels for facts in held_out.facts] == ["true"]


def test_labels_are_read_again_where_their_encoding_is_stated_anew(
    towns: Path, change_recipe: Callable, tmp_path: Path
) -> None:
    """Red by the palette is a person, whatever the indices of the files are."""
    for path in towns.glob("*/semantic/*.png"):
        image = Image.fromarray(np.zeros(cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape[:2], np.uint8), "P")
        image.putpalette([220, 20, 60])
        image.save(path)
    recipe = change_recipe(data={"sources": [{"labels": "pseudo"}]})
    found = []
    for encoding in ("ids", "palette"):
        (towns / "dataset.yaml").write_text(f"label_space: cityscapes19\nlabel_encoding: {encoding}\n")
        photos, _ = load_real_photos(str(towns), recipe, tmp_path / "cache")
        (channel,) = np.unique(photos.read(0)[1]).tolist()
        found.append(load_label_space("camvid11").classes[channel].name.lower())
    assert found == ["road", "pedestrian"]


def test_pseudo_labels_alone_are_held_out_too(towns: Path, change_recipe: Callable, tmp_path: Path) -> None:
    recipe = change_recipe(data={"sources": [{"labels": "pseudo"}], "holdout_fraction": 0.3})
    photos, held_out = load_real_photos(str(towns), recipe, tmp_path / "cache")
    assert (len(photos), len(held_out)) == (4, 2)


def test_a_whole_town_is_held_out_pseudo_labels_or_not(
    camvid: Path, towns: Path, change_recipe: Callable, tmp_path: Path
) -> None:
    recipe = change_recipe(data={"sources": [{}, {"labels": "pseudo", "use": "held_out"}]})
    photos, held_out = load(camvid, towns, recipe, tmp_path)
    assert (len(photos), len(held_out)) == (7, 1 + 6)
    assert Counter(facts.labels for facts in held_out.facts) == {"true": 1, "pseudo": 6}


@pytest.mark.parametrize(
    ("sources", "share"),
    [
        ([{}, {"labels": "pseudo"}], 6 * 0.5 / (7 + 6 * 0.5)),
        ([{}, {"labels": "pseudo", "weight": 2.0}], 6 * 2 / (7 + 6 * 2)),
        ([{"weight": 3.0}, {"weight": 1.5}], 5 * 1.5 / (7 * 3 + 5 * 1.5)),  # the last of ghent's four is held out
        ([], 5 / (7 + 5)),
    ],
    ids=["pseudo labels count half", "pseudo labels with a weight", "two weights", "nothing stated"],
)
def test_photos_are_drawn_by_their_weights(
    camvid: Path, towns: Path, change_recipe: Callable, tmp_path: Path, sources: list[dict], share: float
) -> None:
    recipe = change_recipe(data={"sources": sources})
    photos, _ = load(camvid, towns, recipe, tmp_path)
    sampler, crops = CropSampler(photos, recipe.schedule, seed=4), 500 * len(photos)
    drawn = Counter(sampler.choose_photo(n) for n in range(crops))
    from_towns = {i: count for i, count in drawn.items() if photos.facts[i].name.startswith("1:")}
    assert sum(from_towns.values()) / crops == pytest.approx(share, abs=0.01)
    for count in from_towns.values():  # photos of one folder count the same
        assert count / crops == pytest.approx(share / len(from_towns), rel=0.1)


def test_simulators_are_drawn_equally_often(camvid: Path, towns: Path, change_recipe: Callable, tmp_path: Path) -> None:
    renders = load_renders([str(camvid), str(towns)], change_recipe(), tmp_path / "cache")
    counts = Counter(facts.source for facts in renders.facts)
    assert counts[0] != counts[1]
    sampler, crops = CropSampler(renders, change_recipe().schedule, seed=4), 100 * len(renders)
    drawn = Counter(renders.facts[sampler.choose_photo(n)].source for n in range(crops))
    assert drawn[0] / crops == pytest.approx(0.5, abs=0.01)


def test_crops_say_the_width_of_their_frames(camvid: Path, change_recipe: Callable, tmp_path: Path) -> None:
    recipe = change_recipe(schedule={"frame_width_px": (70, 75)})
    photos, _ = load_real_photos(str(camvid), recipe, tmp_path / "cache")
    origins = CropSampler(photos, recipe.schedule, seed=4).cut_batch(0, 8).origins
    assert origins is not None
    assert origins.source.tolist() == [0] * 8
    assert ((origins.frame_width_px >= 70) & (origins.frame_width_px <= 75)).all()
    assert len(set(origins.frame_width_px.tolist())) > 1


def test_crops_of_weighted_photos_do_not_depend_on_who_cuts_them(
    camvid: Path, towns: Path, change_recipe: Callable, tmp_path: Path
) -> None:
    recipe = change_recipe(data={"sources": [{}, {"labels": "pseudo"}]})
    photos, _ = load(camvid, towns, recipe, tmp_path)
    again, _ = load(camvid, towns, recipe, tmp_path)
    assert photos.folder == again.folder  # packed once
    one, other = (CropSampler(p, recipe.schedule, seed=4) for p in (photos, again))
    assert (one.cut_batch(20, 4).photo[2] == other.cut_batch(22, 1).photo[0]).all()


def test_more_settings_than_folders(camvid: Path, change_recipe: Callable, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data\.sources has settings for 2 folders, --data names 1") as caught:
        load_real_photos(str(camvid), change_recipe(data={"sources": [{}, {}]}), tmp_path / "cache")
    assert "--data once per folder" in caught.value.hint


def test_settings_are_read_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    stated = [{"split": "train"}, {"labels": "pseudo", "weight": "0.25", "split": "all"}]
    recipe = load_recipe(tmp_path, {"data.sources": stated})
    assert [source.photo_weight for source in recipe.data.sources] == [1.0, 0.25]
    assert recipe.data.sources[1].split == "all"


def test_two_folders_train_one_bundle_whose_segmenter_is_scored_on_true_labels(
    camvid: Path, towns: Path, change_recipe: Callable, tmp_path: Path
) -> None:
    segmenter = {"images": 4, "width": 6, "crop_px": (32, 32)}
    recipe = change_recipe(data={"sources": [{}, {"labels": "pseudo"}]}, segmenter=segmenter)
    summary = train(recipe, [str(camvid), str(towns)], tmp_path / "run")
    assert (summary.photos, summary.held_out) == (13, 1)
    assert summary.segmenter is not None and summary.segmenter.held_out_photos == 1


class PairSampler(CropSampler):
    """Crops of two consecutive frames from one window: what a stage on videos adds."""

    def __init__(self, photos: PhotoSet, *others) -> None:
        super().__init__(photos, *others)
        self.pairs = photos.find_pairs()

    def cut_pair(self, number: int) -> list[list[np.ndarray]]:
        rng = np.random.default_rng((self.seed, 1, number))
        pair = self.pairs[number % len(self.pairs)]
        window = self.draw_window(self.photos.size_px(pair[0]), rng)
        return [self.cut_window(frame, window) for frame in pair]


def test_frames_know_their_time_and_consecutive_ones_are_cut_alike(
    towns: Path, change_recipe: Callable, tmp_path: Path
) -> None:
    recipe = change_recipe(data={"holdout_fraction": 0.01, "sources": [{"labels": "pseudo"}]})
    with pytest.raises(TrainingError, match="validation needs 1"):
        load_real_photos(str(towns), recipe, tmp_path / "cache")
    recipe = change_recipe(data={"holdout_fraction": 0.2})  # the last of ghent's four
    photos, _ = load_real_photos(str(towns), recipe, tmp_path / "cache")
    assert [(f.sequence, f.frame) for f in photos.facts if f.sequence == "ghent"] == [("ghent", n) for n in (3, 4, 5)]
    names = [[photos.facts[i].name for i in pair] for pair in photos.find_pairs()]
    assert names == [["ghent/0003", "ghent/0004"], ["ghent/0004", "ghent/0005"], ["pune/0000", "pune/0001"]]
    sampler = PairSampler(photos, recipe.schedule, 1)
    first, second = sampler.cut_pair(1)
    window = sampler.draw_window((60, 80), np.random.default_rng((1, 1, 1)))
    for crop, position in ((first, 1), (second, 2)):
        place = np.s_[window.top : window.top + window.height, window.left : window.left + window.width]
        source = photos.read(position)[0][place]
        expected = cv2.resize(source, (32, 32), interpolation=cv2.INTER_AREA)
        assert (crop[0] == (expected[:, ::-1] if window.is_mirrored else expected)).all()


def test_a_pack_of_another_version_is_refused(tmp_path: Path) -> None:
    plane = np.zeros((4, 4), np.uint8)
    photos = pack_photo_set([PhotoEntry(PhotoFacts("a", "s", 7, 0.5), np.zeros((4, 4, 3), np.uint8), plane)], tmp_path)
    assert (photos.facts[0].frame, photos.facts[0].timestamp_s) == (7, 0.5)
    index = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps(index | {"format": 1}))
    with pytest.raises(TrainingError, match="format 1, this version reads 2") as caught:
        PhotoSet(tmp_path)
    assert "remove the folder" in caught.value.hint


@pytest.mark.parametrize("offset", ["1e999", "-1", "null", "96"])
def test_a_damaged_pack_is_refused(tmp_path: Path, offset: str) -> None:
    entry = PhotoEntry(PhotoFacts("a", "s", 7, 0.5), np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8))
    pack_photo_set([entry], tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    text = json.dumps(index | {"places": [["@", *index["places"][0][1:]]]})
    (tmp_path / "index.json").write_text(text.replace('"@"', offset))
    with pytest.raises(TrainingError, match="damaged") as caught:
        PhotoSet(tmp_path)
    assert "remove the folder" in caught.value.hint
