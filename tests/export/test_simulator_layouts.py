"""Dumps of every simulator, converted, opened and exported: what a label means does not get lost on the way."""

import importlib.util
import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from sflow_pipeline import open_dataset
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.errors import UsageError
from sflow_pipeline.export.export_dataset import export_dataset
from sflow_pipeline.simulators import discover

#: Layouts whose generator draws no countable object.
NO_OBJECTS = ("carla", "kitti", "synthia", "vkitti2")
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
    for to in ("cityscapes", "png"):
        assert export_dataset(str(out), str(tmp_path / to), to).rows == len(dataset)
    for to in ("coco", "yolo") if "instance" in dataset.columns else ():
        summary = export_dataset(str(out), str(tmp_path / to), to, allow_empty=name in NO_OBJECTS)
        assert summary.rows == len(dataset)
        assert (summary.objects == 0) == (name in NO_OBJECTS)


@pytest.mark.parametrize(
    ("name", "objects"),
    [
        ("blenderproc_coco", {("Car", 128): 2, ("Gizmo", 256): 1}),  # the street is a surface
        ("blenderproc", {("Car,car", 256): 2}),
        ("hypersim", {("lamp", 256): 4}),  # wall and floor are surfaces
    ],
)
def test_numbered_objects_are_exported(name, objects, convert_layout, tmp_path):
    export_dataset(str(convert_layout(name)), str(tmp_path / "coco"), "coco")
    found = Counter()
    for path in (tmp_path / "coco" / "annotations").glob("instances_*.json"):
        content = json.loads(path.read_text())
        names = {category["id"]: category["name"] for category in content["categories"]}
        assert [item["id"] for item in content["annotations"]] == list(range(1, len(content["annotations"]) + 1))
        found.update((names[item["category_id"]], item["area"]) for item in content["annotations"])
    assert found == objects


def test_replicator_instances_as_numbers(random_bundle, tmp_path):
    root = tmp_path / "replicator"
    load_layout("replicator").write(root)
    numbers = np.array([[0, 1, 2, 3]], np.uint16).repeat(32, 0).repeat(8, 1)  # colorize_instance_segmentation=False
    for frame in range(2):
        assert cv2.imwrite(str(root / f"instance_segmentation_{frame:04}.png"), numbers)
    places = {"sim_dir": str(root), "out_dir": str(tmp_path / "out"), "bundle": str(random_bundle)}
    convert(build_job({**places, "workers": 1, "unknown_ids": "ignore"}))
    assert export_dataset(str(tmp_path / "out"), str(tmp_path / "coco"), "coco").objects == 3  # cone, person, gizmo


@pytest.mark.parametrize("stated", ["", "instance_encoding: numbered\n"])
def test_numbered_objects_of_the_plain_layout(stated, random_bundle, tmp_path):
    root = tmp_path / "plain"
    label_map = np.array([[0, 13, 13, 13]], np.uint8).repeat(32, 0).repeat(8, 1)
    numbers = np.array([[0, 1, 2, 0]], np.uint8).repeat(32, 0).repeat(8, 1)
    ramp = (np.arange(32 * 32 * 3).reshape(32, 32, 3) // 16).astype(np.uint8)
    for folder, pixels in (("rgb", ramp), ("semantic", label_map), ("instance", numbers)):
        (root / folder).mkdir(parents=True)
        assert cv2.imwrite(str(root / folder / "0.png"), pixels)
    (root / "dataset.yaml").write_text(f"label_space: cityscapes19\n{stated}")
    out = tmp_path / "out"
    convert(build_job({"sim_dir": str(root), "out_dir": str(out), "bundle": str(random_bundle), "workers": 1}))
    assert json.loads((out / "manifest.json").read_text())["source"]["instance_encoding"] == "numbered"
    assert export_dataset(str(out), str(tmp_path / "yolo"), "yolo").objects == 2
    export_dataset(str(out), str(tmp_path / "png"), "png")
    assert discover(str(tmp_path / "png")).instance_encoding == "numbered"


def test_an_export_without_any_object_fails(convert_layout, tmp_path):
    out = str(convert_layout("kitti"))
    with pytest.raises(UsageError, match=r"--to coco: no object .* read as class_times_256") as refused:
        export_dataset(out, str(tmp_path / "coco"), "coco")
    assert "--allow-empty" in refused.value.hint and "--instance-encoding" in refused.value.hint
    assert not (tmp_path / "coco").exists()


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
