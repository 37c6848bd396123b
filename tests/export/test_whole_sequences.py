"""What holds for more than one frame: numbers of objects, names of files, splits."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import webdataset
import yaml
from pycocotools.coco import COCO

from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.errors import UsageError
from sflow_pipeline.export.export_dataset import export_dataset
from sflow_pipeline.export.instances import Instance
from sflow_pipeline.export.object_numbers import ObjectNumbers

CAR = 13
#: Object id -> columns of its pixels, per frame; the first car is gone in the last frame, another appears.
FRAMES = [{40753: (0, 12), 23001: (20, 30)}, {40753: (2, 14), 23001: (22, 32)}, {23001: (24, 34), 998: (36, 46)}]


@pytest.fixture
def make(random_bundle: Path, tmp_path: Path) -> Callable[..., Path]:
    """Converts frames: path without folder kind -> object id -> columns of a car."""

    def run(frames: dict[str, dict[int, tuple[int, int]]], *, instances: bool = True) -> Path:
        dump = tmp_path / "sim"
        for number, (name, objects) in enumerate(frames.items()):
            sequence, _, frame = name.rpartition("/")
            planes = {"semantic": np.zeros((32, 48), np.uint8), "instance": np.zeros((32, 48), np.uint16)}
            for object_id, (left, right) in objects.items():
                planes["semantic"][10:20, left:right] = CAR
                planes["instance"][10:20, left:right] = object_id
            planes["rgb"] = np.random.default_rng(number).integers(0, 255, (32, 48, 3), np.uint8)
            for folder, pixels in planes.items():
                if folder != "instance" or instances:
                    path = dump / sequence / folder / f"{frame}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(path), pixels)
        stated = {"label_space": "cityscapes19", **({"instance_encoding": "numbered"} if instances else {})}
        (dump / "dataset.yaml").write_text(yaml.safe_dump(stated))
        places = {"sim_dir": str(dump), "out_dir": str(tmp_path / "out"), "bundle": str(random_bundle)}
        convert(build_job({**places, "workers": 1, "precision": "fp32"}))
        return tmp_path / "out"

    return run


def read_png(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize(("to", "unit"), [("cityscapes", 1000), ("kitti", 256)])
def test_an_object_keeps_its_number(make, tmp_path, to, unit):
    out = make({f"town/{frame:04d}": objects for frame, objects in enumerate(FRAMES)})
    export_dataset(out, tmp_path / to, to)
    pattern = "gtFine/*/*/*_instanceIds.png" if to == "cityscapes" else "training/instance/*.png"
    paths = sorted((tmp_path / to).glob(pattern))
    assert len(paths) == 3
    numbers: dict[int, set[int]] = {}
    for path, objects in zip(paths, FRAMES, strict=True):
        pixels = read_png(path)
        for object_id, (left, right) in objects.items():
            (value,) = np.unique(pixels[10:20, left:right]).tolist()
            assert value // unit == 26
            numbers.setdefault(object_id, set()).add(value % unit)
    assert [len(found) for found in numbers.values()] == [1, 1, 1]
    assert all(number >= 1 for found in numbers.values() for number in found)
    assert len(set.union(*numbers.values())) == 3


def test_kitti_is_read_back_with_every_object(make, tmp_path, random_bundle):
    out = make({f"town/{frame:04d}": objects for frame, objects in enumerate(FRAMES)})
    export_dataset(out, tmp_path / "kitti", "kitti")
    places = {"sim_dir": str(tmp_path / "kitti"), "out_dir": str(tmp_path / "again"), "bundle": str(random_bundle)}
    convert(build_job({**places, "workers": 1, "precision": "fp32"}))
    assert export_dataset(tmp_path / "again", tmp_path / "coco", "coco").objects == sum(map(len, FRAMES))


def test_coco_tracks_objects_through_a_sequence_and_not_beyond(make, tmp_path):
    frames = {f"{town}/{frame:04d}": objects for town in "ab" for frame, objects in enumerate(FRAMES)}
    export_dataset(make(frames), tmp_path / "coco", "coco")
    coco = COCO(str(tmp_path / "coco/annotations/instances_train.json"))
    tracks: dict[tuple[str, int], set[int]] = {}
    for image in coco.loadImgs(coco.getImgIds()):
        objects = {left: object_id for object_id, (left, _right) in FRAMES[image["frame_index"]].items()}
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
            key = image["sequence_id"], objects[annotation["bbox"][0]]
            tracks.setdefault(key, set()).add(annotation["track_id"])
    assert len(tracks) == 6 and all(len(found) == 1 for found in tracks.values())
    assert len(set.union(*tracks.values())) == 6


def test_more_objects_than_numbers_are_told_and_never_share_a_frame():
    numbers = ObjectNumbers(range(1, 3))

    def name(*object_ids: int) -> list[int | None]:
        pixels = np.array([0])
        found = [Instance(CAR, object_id, object_id, pixels, (0, 0, 1, 1)) for object_id in object_ids]
        return numbers.number_frame("town", found, [26] * len(found))

    assert name(500, 600) == [1, 2] and name(600) == [2]
    assert name(600, 700) == [2, 1]
    assert name(500, 600, 700) == [None, 2, 1]
    assert len(numbers.describe()) == 2


def test_coco_of_a_dump_without_instances_is_stuff(make, tmp_path):
    out = make({"town/0000": FRAMES[0]}, instances=False)
    summary = export_dataset(out, tmp_path / "coco", "coco")
    assert any("stuff" in note for note in summary.notes)
    coco = COCO(str(tmp_path / "coco/annotations/stuff_train.json"))
    names = {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())}
    masks = {names[item["category_id"]]: coco.annToMask(item) for item in coco.loadAnns(coco.getAnnIds())}
    car = np.zeros((32, 48), bool)
    car[10:20, 0:12] = car[10:20, 20:30] = True
    assert masks.keys() == {"road", "car"}
    np.testing.assert_array_equal(masks["car"].astype(bool), car)
    np.testing.assert_array_equal(masks["road"].astype(bool), ~car)


def test_names_that_differ_in_a_dot_stay_apart(make, tmp_path):
    out = make({"town/a.1": FRAMES[0], "town/a_1": FRAMES[1]})
    export_dataset(out, tmp_path / "tars", "webdataset")
    samples = list(webdataset.WebDataset([str(path) for path in (tmp_path / "tars").glob("*.tar")], shardshuffle=False))
    facts = {json.loads(sample["json"])["sample_id"]: sample["__key__"] for sample in samples}
    assert facts.keys() == {"town/a.1", "town/a_1"} and len(set(facts.values())) == 2
    for to in ("coco", "yolo"):
        assert export_dataset(out, tmp_path / to, to).rows == 2


def test_yolo_leaves_out_what_is_too_small_to_be_found(make, tmp_path):
    out = make({"town/0000": {7: (0, 12), 8: (20, 22)}})
    summary = export_dataset(out, tmp_path / "yolo", "yolo")
    (label,) = (tmp_path / "yolo/labels/train").glob("*.txt")
    assert len(label.read_text().splitlines()) == 1 == summary.objects
    assert any("1 objects left out" in note and "--min-side" in note for note in summary.notes)
    assert export_dataset(out, tmp_path / "yolo", "yolo", min_side_px=2).objects == 2
    for options in ({"min_side_px": 0}, {"min_fill": 2}):
        with pytest.raises(UsageError, match="--min-"):
            export_dataset(out, tmp_path / "yolo", "yolo", **options)


def test_yolo_outlines_enclose_the_objects(export, read_dump):
    """Rasterised as trainers do: points scaled to the picture, cut to whole pixels, filled by OpenCV."""
    dest, _summary = export("yolo-seg", variants=[0], min_side_px=1, min_fill=0)
    objects = 0
    for sequence, frame in [(f"street_000{street}", frame) for street in range(2) for frame in range(4)]:
        instances = read_dump("instance", sequence, frame)
        expected = [instances == i for i in np.unique(instances) if i >= 1000]
        lines = (dest / "labels" / "train" / f"{sequence}__{frame:06d}.txt").read_text().splitlines()
        assert len(lines) == len(expected)
        for line in lines:
            points = (np.array(line.split()[1:], float).reshape(-1, 2) * (96, 48)).astype(np.int32)
            assert len(points) >= 3
            filled = np.zeros((48, 96), np.uint8)
            cv2.fillPoly(filled, [points], 1)
            best = max(expected, key=lambda mask: (filled & mask).sum() / (filled | mask).sum())
            assert not (best & ~filled.astype(bool)).any()
            parts = cv2.connectedComponents(best.astype(np.uint8))[0] - 1
            if parts == 1:
                contours = cv2.findContours(best.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
                solid = cv2.fillPoly(np.zeros((48, 96), np.uint8), contours, 1)
                np.testing.assert_array_equal(filled, solid)
            objects += 1
    assert objects > 8


def test_new_splits_keep_sequences_whole(make, tmp_path):
    out = make({f"town{town}/{frame:04d}": FRAMES[frame] for town in range(5) for frame in range(2)})
    dest = tmp_path / "yolo"
    summary = export_dataset(out, dest, "yolo", split_by=("sequence", "0.6/0.2/0.2"))
    assert summary.rows == 10 and not any("split" in note for note in summary.notes)
    stated = yaml.safe_load((dest / "data.yaml").read_text())
    towns = {
        split: {path.name.partition("__")[0] for path in (dest / stated[split]).iterdir()}
        for split in ("train", "val", "test")
    }
    assert {split: len(found) for split, found in towns.items()} == {"train": 3, "val": 1, "test": 1}
    assert len(set.union(*towns.values())) == 5
    lines = [json.loads(line) for line in (dest / "samples.jsonl").read_text().splitlines()]
    assert all(line["sequence_id"] in towns[line["split"]] for line in lines)


@pytest.mark.parametrize(
    "words", [("sequence", "0.8/0.1"), ("sequence", "1"), ("sequence", "0.8/x/0.1"), ("town", "0.8/0.2")]
)
def test_wrong_splits_are_explained(convert_streets, tmp_path, words):
    with pytest.raises(UsageError, match="--split-by") as wrong:
        export_dataset(convert_streets(format="parquet", variants=2), tmp_path / "dest", "yolo", split_by=words)
    assert "0.8/0.1/0.1" in wrong.value.hint


def test_blocks_stay_whole(make, tmp_path):
    out = make({f"town/{frame:04d}": FRAMES[frame % 2] for frame in (0, 1, 49, 50, 99, 100, 150, 151)})
    dest = tmp_path / "yolo"
    assert export_dataset(out, dest, "yolo", split_by=("block", "0.5/0.5")).rows == 8
    lines = [json.loads(line) for line in (dest / "samples.jsonl").read_text().splitlines()]
    splits_of_blocks = {}
    for line in lines:
        splits_of_blocks.setdefault(line["frame_index"] // 50, set()).add(line["split"])
    assert all(len(splits) == 1 for splits in splits_of_blocks.values()) and len(splits_of_blocks) == 4
    assert {line["split"] for line in lines} == {"train", "val"}


def test_too_few_sequences_name_the_way_out(convert_streets, tmp_path):
    out = convert_streets(format="parquet", variants=2)
    with pytest.raises(UsageError, match="2 of them cannot make 3 splits") as wrong:
        export_dataset(out, tmp_path / "dest", "yolo", split_by=("sequence", "0.8/0.1/0.1"))
    assert "--split-by frame" in wrong.value.hint
    assert export_dataset(out, tmp_path / "dest", "yolo", split_by=("frame", "0.5/0.25/0.25")).rows == 16
