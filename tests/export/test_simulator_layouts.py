"""Dumps of every simulator, converted, opened and exported: what a label means does not get lost on the way."""

import importlib.util
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from sflow_pipeline import open_dataset
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.export import export_dataset
from sflow_pipeline.simulators import discover

LAYOUTS = Path(__file__).parents[1] / "simulators" / "layouts"


def load_layout(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, LAYOUTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def convert_layout(random_bundle, tmp_path):
    def run(name: str) -> Path:
        load_layout(name).write(tmp_path / name)
        own_space = tmp_path / f"{name}-labels.yaml"  # of layouts whose classes are settled in each scene
        places = {"sim_dir": str(tmp_path / name), "out_dir": str(tmp_path / "out"), "bundle": str(random_bundle)}
        space = {"label_space": str(own_space)} if own_space.exists() else {}
        convert(build_job({**places, **space, "workers": 1, "unknown_ids": "ignore", "max_bad_fraction": 1.0}))
        return tmp_path / "out"

    return run


@pytest.mark.parametrize("name", sorted(path.stem for path in LAYOUTS.glob("*.py")))
def test_every_layout_opens_and_leaves(name, convert_layout, tmp_path):
    out = convert_layout(name)
    dataset = open_dataset(str(out))
    assert len(dataset) > 0
    for index in range(len(dataset)):
        sample = dataset[index]
        assert sample.label.shape == sample.image.shape[:2]
        assert set(np.unique(sample.label)) <= dataset.label_space.ids() | {65535}
        np.testing.assert_array_equal(open_dataset(str(out), columns=["label"])[index].label, sample.label)
    has_instances = "instance" in dataset.columns
    for to in ("cityscapes", "png", *(("coco", "yolo") if has_instances else ())):
        assert export_dataset(str(out), str(tmp_path / to), to).rows > 0


def test_a_label_whose_colours_change_meaning(convert_layout, tmp_path):
    out = convert_layout("replicator")
    dataset = open_dataset(str(out), columns=["label"])
    names = {item.id: item.name for item in dataset.label_space.classes}
    for frame, middle in enumerate(("cone,obstacle", "person")):
        label_map = dataset[frame].label
        assert [names[i] for i in label_map[0, [0, 16]]] == ["BACKGROUND", middle]
    export_dataset(str(out), str(tmp_path / "cs"), "cityscapes")
    files = sorted((tmp_path / "cs").rglob("*_labelIds.png"))
    middles = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[0, 16] for path in files]
    assert middles == [4, 24]  # static, person


def test_classes_of_ones_own_travel_with_a_png_tree(convert_layout, tmp_path):
    dataset = open_dataset(str(convert_layout("airsim")), columns=["label"])
    export_dataset(str(tmp_path / "out"), str(tmp_path / "png"), "png")
    again = discover(str(tmp_path / "png"))
    assert len(again.frames) == len(dataset) and again.label_encoding == "palette"
    found = again.load_label_space()
    expected = [(item.id, item.name, item.concepts, item.color) for item in dataset.label_space.classes]
    assert [(item.id, item.name, item.concepts, item.color) for item in found.classes] == expected
