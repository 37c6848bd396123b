"""MPI Sintel: flow, depth and cameras travel; without labels that somebody adds, nothing does, and it is said."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from sflow_pipeline.errors import DumpError
from sflow_pipeline.simulators import SIMULATORS, detect, discover
from sflow_pipeline.storage.filesystem import Folder

MakeLayout = Callable[[str], Path]


def test_without_labels_it_is_recognised_and_refused(make_layout: MakeLayout) -> None:
    root = make_layout("sintel")
    shutil.rmtree(root / "MPI-Sintel-complete" / "training" / "semantic")
    assert detect(str(root)) is SIMULATORS["sintel"]
    with pytest.raises(DumpError) as caught:
        discover(str(root), label_space="camvid11")
    assert "without class labels" in caught.value.message
    for held in ("3 scenes", "7 final", "6 clean", "6 albedo", "4 flow", "6 depth", "6 camera", "4 occlusion"):
        assert held in caught.value.message
    assert "training/semantic/<scene>/frame_0001.png" in caught.value.hint


def test_labels_need_a_label_space(make_layout: MakeLayout) -> None:
    with pytest.raises(DumpError, match="no label space is stated for the ids in its semantic folder"):
        discover(str(make_layout("sintel")))


def test_scenes_with_labels_carry_everything(make_layout: MakeLayout, load_layout: Callable[[str], ModuleType]) -> None:
    root = make_layout("sintel")
    dump = discover(str(root), label_space=str(root.parent / "sintel-labels.yaml"))
    assert [(f.sample_id, f.split) for f in dump.frames] == [
        (f"{scene}/frame_{number:04}", "train") for scene in ("alley_1", "cave_2") for number in (1, 2, 3)
    ]
    assert dump.modalities == ("render", "label", "depth", "flow", "occlusion", "camera")
    (problem,) = dump.problems
    assert (problem.kind, problem.paths) == (
        "missing_label",
        ("MPI-Sintel-complete/test/final/ambush_1/frame_0001.png",),
    )
    first, last = dump.frames[0], dump.frames[2]
    assert first.render == "MPI-Sintel-complete/training/final/alley_1/frame_0001.png"
    assert first.depth == "MPI-Sintel-depth/training/depth/alley_1/frame_0001.dpt"
    assert (str(first.flow)[-4:], last.flow) == (".flo", None)
    layout = load_layout("sintel")
    assert json.loads(Folder(str(root)).read_bytes(str(first.camera))) == {
        "intrinsic": [list(row) for row in layout.INTRINSIC],
        "extrinsic": [list(row) for row in layout.EXTRINSIC],
    }


def test_the_best_pass_is_read(make_layout: MakeLayout) -> None:
    root = make_layout("sintel")
    shutil.rmtree(root / "MPI-Sintel-complete" / "training" / "final")
    dump = discover(str(root), label_space=str(root.parent / "sintel-labels.yaml"))
    assert {frame.render.split("/")[2] for frame in dump.frames} == {"clean"}
