"""Dumps after public reports, beside the repository: each ends as its user needs; other tests make their own inputs.

``OBJECTS``: objects in the COCO export, by class, over all frames. ``REFUSED``: what ``inspect`` and ``convert`` say of
dumps that must not be converted as they are. ``LEFT_OUT``: frames of the dump, and why one of them is quarantined.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import datasets
import numpy as np
import pytest
import webdataset
from typer.testing import CliRunner, Result

from sflow_pipeline import open_dataset
from sflow_pipeline.cli.app import app
from sflow_pipeline.errors import SflowError

CASES = Path(__file__).parents[2].parent / "shared" / "cases"
pytestmark = [pytest.mark.shared, pytest.mark.skipif(not CASES.is_dir(), reason="no ../shared/cases")]

OBJECTS = {
    "01-replicator-warehouse-coco": {"cardbox": 4, "pallet": 2},
    "02-replicator-colorize-false": {"car": 4, "person": 2},
    "03-blenderproc-coco-instances": {"car": 4, "person": 2},
    "12-solo-instance-only": {"Car": 4, "Person": 2},
    "15-replicator-instance-only": {"car": 4, "person": 2},
    "17-blenderproc-minus-one": {"Car": 4, "Person": 2},
    "29-synthia-instances-in-green": {"car": 4, "pedestrian": 2},
    "33-folder-actor-ids": {"car": 4, "pedestrian": 2},
    "41-carla-track-identity": {"car": 5, "pedestrian": 3},
    "44-solo-category-zero": {"Car": 4, "Person": 2},
}
REFUSED = {
    "06-carla-instance-red-off-by-one": "2 of 6 objects are of several classes",
    "07-carla-nightly-tags": "no CARLA version explains the tags",
    "11-carla-custom-tag-23": r"carla-0\.9\.13 has 99\.02% .* lacks 23",
    "36-indexed-other-order": "index 8 is sidewalk and has the colour of sky",
    "37-npy-labels": r"labels as PNG.*numpy\.load",
}
LEFT_OUT = {"14-replicator-blank-seg": (4, "void_label"), "43-first-frame-black": (3, "blank_render")}
SCENES = ("09-carla-tags-in-three-channels", "24-folder-prefixed-names", "27b-neighbours")

Run = Callable[..., Result]


@pytest.fixture
def run(random_bundle: Path, tmp_path: Path) -> Run:
    """Runs a command as a user would; the dump of a case and the dataset are ``IN`` and ``OUT``."""

    def command(case: str, *words: str) -> Result:
        places = {"IN": str(CASES / case / "in"), "OUT": str(tmp_path / "out")}
        bundle = ["--bundle", str(random_bundle)] if words[0] in ("inspect", "convert") else []
        cheap = ["--workers", "1", "--gate", "off"] if words[0] == "convert" else []
        return CliRunner().invoke(app, [places.get(word, word) for word in words] + bundle + cheap)

    return command


def text_of(result: Result) -> str:
    error = result.exception
    said = f"{error.message}; {error.hint}" if isinstance(error, SflowError) else ""
    return " ".join((result.output + said).split())


def convert(run: Run, case: str) -> None:
    assert run(case, "inspect", "IN").exit_code == 0
    assert run(case, "convert", "IN", "OUT").exit_code == 0


def test_every_case_is_here() -> None:
    known = {*OBJECTS, *REFUSED, *LEFT_OUT, *SCENES, "34-hf-cache"}
    assert known == {path.name for path in CASES.iterdir() if path.is_dir()}


@pytest.mark.parametrize("case", OBJECTS)
def test_objects(case: str, run: Run, tmp_path: Path) -> None:
    convert(run, case)
    assert run(case, "export", "OUT", str(tmp_path / "coco"), "--to", "coco").exit_code == 0
    content: dict[str, Any] = json.loads((tmp_path / "coco" / "annotations" / "instances_train.json").read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    assert Counter(names[item["category_id"]] for item in content["annotations"]) == OBJECTS[case]
    assert min(names) > 0
    assert run(case, "export", "OUT", str(tmp_path / "yolo"), "--to", "yolo").exit_code == 0
    lines = [line for path in (tmp_path / "yolo" / "labels").rglob("*.txt") for line in path.read_text().splitlines()]
    assert len(lines) == sum(OBJECTS[case].values())
    if case.startswith("41"):
        track_ids: dict[int, set[int]] = {}
        for item in content["annotations"]:
            track_ids.setdefault(item["image_id"], set()).add(item["track_id"])
        assert track_ids[1] < track_ids[2] == track_ids[3]  # a car enters, and each keeps its number
        check_kitti(run, case, tmp_path)


def check_kitti(run: Run, case: str, tmp_path: Path) -> None:
    """The objects of each car are the same number in every frame, from 1."""
    assert run(case, "export", "OUT", str(tmp_path / "kitti"), "--to", "kitti").exit_code == 0
    objects = []
    for path in sorted((tmp_path / "kitti" / "training" / "instance").glob("*.png")):
        values = np.unique(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
        objects.append({(int(value) // 256, int(value) % 256) for value in values if value % 256})
    assert sum(map(len, objects)) == sum(OBJECTS[case].values())
    assert objects[0] < objects[1] == objects[2]


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, run: Run, tmp_path: Path) -> None:
    for words in (("inspect", "IN"), ("convert", "IN", "OUT")):
        result = run(case, *words)
        assert result.exit_code == 1
        assert re.search(REFUSED[case], text_of(result))
    assert not list(tmp_path.glob("out/data/**/*.parquet"))


@pytest.mark.parametrize("case", LEFT_OUT)
def test_left_out(case: str, run: Run, tmp_path: Path) -> None:
    frames, reason = LEFT_OUT[case]
    assert reason in text_of(run(case, "inspect", "IN"))
    assert run(case, "inspect", "IN").exit_code == run(case, "convert", "IN", "OUT").exit_code == 3
    assert len(open_dataset(str(tmp_path / "out"))) == frames - 1


@pytest.mark.parametrize("case", SCENES)
def test_scenes(case: str, run: Run, tmp_path: Path) -> None:
    convert(run, case)
    samples = open_dataset(str(tmp_path / "out"), columns=["label"])
    names = {item.id: item.name for item in samples.label_space.classes}
    first = samples[0].label
    assert (names[int(first[0, 0])], names[int(first[-1, first.shape[1] // 2])]) == ("sky", "road")
    assert run(case, "export", "OUT", str(tmp_path / "tars"), "--to", "webdataset").exit_code == 0
    tars = [str(path) for path in (tmp_path / "tars").glob("*.tar")]
    assert len(list(webdataset.WebDataset(tars, shardshuffle=False))) == len(samples) == 2


def test_own_rows(run: Run, tmp_path: Path) -> None:
    """Two datasets whose folders are both called ``out``, through one cache."""
    found = []
    for case in ("07-carla-nightly-tags", "24-folder-prefixed-names", "41-carla-track-identity"):
        out = tmp_path / case / "out"
        out.parent.mkdir()
        if run(case, "convert", "IN", str(out)).exit_code == 0:
            found.append(len(datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))))
    assert found == [2, 3]
