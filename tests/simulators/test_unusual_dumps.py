"""Dumps whose names or contents differ a little from the usual: read as they lie, or told what to do."""

import hashlib
import json
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import cv2
import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from sflow_pipeline.config.layout_patterns import split_patterns
from sflow_pipeline.errors import DumpError
from sflow_pipeline.simulators import discover
from sflow_pipeline.simulators.layout_proposal import propose_layout

LoadLayout = Callable[[str], ModuleType]
MakeTree = Callable[[list[str]], Path]
Write = Callable[[Mapping[str, str]], Path]
SKY, BUILDING, ROAD, CAR = 11, 3, 1, 14


@pytest.fixture
def write_scenes(tmp_path: Path) -> Write:
    """Writes three frames in each of two sequences; patterns of paths by kind: render, label or instance."""

    def write(patterns: Mapping[str, str]) -> Path:
        root = tmp_path / "dump"
        for sequence, word, split in (("town1", "alley", "train"), ("town2", "plaza", "val")):
            names = {"sequence": sequence, "word": word, "split": split}
            for number in range(3):
                digest = hashlib.md5(f"{sequence} {number}".encode(), usedforsecurity=False).hexdigest()
                for kind, pixels in draw_scene(number).items():
                    if kind in patterns:
                        path = root / patterns[kind].format(**names, number=number, letter="abc"[number], digest=digest)
                        path.parent.mkdir(parents=True, exist_ok=True)
                        assert cv2.imwrite(str(path), pixels)
        return root

    return write


def draw_scene(number: int) -> dict[str, NDArray[np.generic]]:
    label = np.full((60, 90), BUILDING, np.uint8)
    label[:24], label[40:] = SKY, ROAD
    label[35:45, 10 * number : 10 * number + 20] = CAR
    noise = np.random.default_rng(number).integers(0, 60, (60, 90, 3))
    return {
        "render": (noise + label[..., None] * 12).astype(np.uint8),
        "label": label,
        "instance": np.where(label == CAR, CAR * 1000 + 1, 0).astype(np.uint16),
    }


@pytest.mark.parametrize(
    "patterns",
    [
        {"render": "images/{sequence}/{number:04d}.png", "label": "labels/{sequence}/{number:04d}_gt.png"},
        {"render": "{sequence}/rgb/{number:04d}.png", "label": "{sequence}/sem/{number:04d}.png"},
        {"render": "left/{sequence}_{number:04d}.jpg", "label": "mask/{sequence}_{number:04d}.png"},
        {"render": "{sequence}/f{number:04d}.png", "label": "{sequence}/f{number:04d}_seg.png"},
        {
            "render": "train/{sequence}/RGB/{number:04d}.png",
            "instance": "train/{sequence}/InstSeg/{number:04d}.png",
            "label": "train/{sequence}/SemSeg/{number:04d}.png",
        },
        {"render": "imgs/{word}_{number:04d}.png", "label": "masks/{word}_{number:04d}_mask.png"},
        {"render": "rgb_{word}/{number:04d}.png", "label": "seg_{word}/{number:04d}.png"},
        {"render": "{word}_rgb/{number:04d}.png", "label": "{word}_seg/{number:04d}.png"},
        {"render": "{sequence}/cam2_rgb_{number:04d}.png", "label": "{sequence}/cam2_seg_{number:04d}.png"},
        {"render": "{sequence}_rgb_{number:04d}.png", "label": "{sequence}_label_{number:04d}.png"},
        {"render": "{sequence}/pic/{number}.png", "label": "{sequence}/cls/{number:05d}.png"},
        {"render": "{word}-{number:04d}/shot.png", "label": "{word}-{number:04d}/classes.png"},
        {"render": "shots/{word}-{letter}.png", "label": "truth/{word}-{letter}_ids.png"},
        {"render": "{word}-{letter}_rgb.png", "label": "{word}-{letter}_ids.png"},
        {"render": "v1/data/{word}/x/{number:04d}.png", "label": "v1/labels/sem/{word}/{number:04d}.png"},
        {"render": "day,wet=1/{word}/a/{number:04d}.png", "label": "day,wet=1/{word}/b/{number:04d}.png"},
        {"render": "run {{1}} 'x'/{word}/a/{number:04d}.png", "label": "run {{1}} 'x'/{word}/b/{number:04d}.png"},
        {"render": "{sequence}/view_{number:04d}.png", "label": "{sequence}/id24_{number:04d}.png"},
        {
            "render": "2024-05-{number:02d}Z_{sequence}_rgb_v3.png",
            "label": "2024-05-{number:02d}Z_{sequence}_seg_v3.png",
        },
        {"render": "photos/{digest}.jpg", "label": "truth/{digest}.png"},
        {"render": "{digest}.jpg", "label": "{digest}_id.png"},
        {"render": "{split}/a/{number:04d}.png", "label": "{split}/b/{number:04d}.png"},
        {"render": "{split}_a/{number:04d}.png", "label": "{split}_b/{number:04d}.png"},
    ],
)
def test_the_proposed_layout_reads_every_frame(write_scenes: Write, patterns: Mapping[str, str]) -> None:
    root = write_scenes(patterns)
    with pytest.raises(DumpError, match="no known layout") as caught:
        discover(str(root))
    assert "--label-space carla-0.9.14" in caught.value.hint
    proposal = propose_layout(str(root))
    stated = shlex.split(caught.value.hint.split("\n")[1])
    layout = split_patterns(stated[stated.index("--layout") + 1])
    assert layout == proposal.layout
    dump = discover(str(root), layout=layout, label_space="carla-0.9.14")
    assert len(dump.frames) == 6
    assert all(problem.kind == "gap" and "{digest}" in patterns["render"] for problem in dump.problems)
    assert set(dump.modalities) == set(patterns)
    for frame in dump.frames:
        label = cv2.imread(str(root / frame.label), cv2.IMREAD_UNCHANGED)
        render = cv2.imread(str(root / frame.render))
        assert [number for number in range(3) if np.array_equal(label, draw_scene(number)["label"])] == [
            number for number in range(3) if np.abs(render.astype(int) - draw_scene(number)["render"]).mean() < 12
        ]
    splits = {frame.split for frame in dump.frames}
    assert splits == ({"train", "val"} if "{split}" in patterns["render"] else {"train"})


def test_pictures_beside_a_stated_layout_are_told(write_scenes: Write) -> None:
    root = write_scenes({"render": "imgs/{word}_{number}.png", "label": "ids/{word}_{number}.png"})
    layout = {"render": "imgs/alley_{frame}.png", "label": "ids/alley_{frame}.png"}
    dump = discover(str(root), layout=layout, label_space="carla-0.9.14")
    assert len(dump.frames) == 3
    assert [(problem.kind, problem.severity, len(problem.paths)) for problem in dump.problems] == [
        ("unmatched", "warning", 6)
    ]


@pytest.mark.parametrize(
    ("kind", "suffix", "advice"),
    [
        ("label", "bmp", r"write labels as PNG"),
        ("label", "tif", r"write labels as PNG"),
        ("label", "jpg", r"JPEG changes class ids"),
        ("render", "bmp", r"write pictures as PNG or JPEG"),
        ("render", "ppm", r"write pictures as PNG or JPEG"),
        ("label", "webp", r"WebP changes class ids"),
    ],
)
def test_formats_that_are_not_read_are_told(write_scenes: Write, kind: str, suffix: str, advice: str) -> None:
    patterns = {"render": "pic/{sequence}{number}.png", "label": "gt/{sequence}{number}.png"}
    root = write_scenes({**patterns, kind: patterns[kind].replace("png", suffix)})
    with pytest.raises(DumpError) as caught:
        discover(str(root))
    assert re.search(advice, caught.value.hint)


def test_webp_pictures_pair_up_with_labels(write_scenes: Write) -> None:
    root = write_scenes({"render": "{sequence}/view/{number}.webp", "label": "{sequence}/view_gt/{number}.png"})
    assert propose_layout(str(root)).layout == {
        "render": "{scene}/view/{frame}.webp",
        "label": "{scene}/view_gt/{frame}.png",
    }


def test_grey_pictures_pair_up_with_labels(write_scenes: Write) -> None:
    root = write_scenes({"render": "{sequence}/mono/{number}.png", "label": "{sequence}/mono_gt/{number}.png"})
    for path in root.glob("*/mono/*.png"):
        assert cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    assert propose_layout(str(root)).layout == {
        "render": "{scene}/mono/{frame}.png",
        "label": "{scene}/mono_gt/{frame}.png",
    }


def test_leading_zeros_do_not_part_a_picture_and_its_label(write_scenes: Write) -> None:
    root = write_scenes({"render": "{sequence}/rgb/{number}.png", "label": "{sequence}/semantic/{number:06d}.png"})
    dump = discover(str(root), label_space="carla-0.9.14")
    assert [(frame.sample_id, frame.label) for frame in dump.frames[:1]] == [("town1/0", "town1/semantic/000000.png")]
    assert len(dump.frames) == 6 and dump.problems == ()


def test_zeros_after_a_decimal_point_part_a_picture_and_another_label(make_tree: MakeTree) -> None:
    dump = discover(
        str(make_tree(["rgb/0.05.png", "rgb/0.1.png", "semantic/0.1.png", "semantic/0.5.png"])), label_space="camvid11"
    )
    assert [frame.sample_id for frame in dump.frames] == ["main/0.1"]
    assert {problem.kind: problem.paths for problem in dump.problems} == {
        "missing_label": ("rgb/0.05.png",), "missing_render": ("semantic/0.5.png",)
    }  # fmt: skip


def test_unknown_classes_leave_the_label_space_open(write_scenes: Write) -> None:
    root = write_scenes({"render": "images/{sequence}{number}.png", "label": "ids/{sequence}{number}.png"})
    for path in (root / "ids").iterdir():
        assert cv2.imwrite(str(path), np.full((60, 90), 200, np.uint8))
    assert "--label-space LABEL_SPACE" in propose_layout(str(root)).hint


def test_pictures_alone_name_the_nearest_layout(write_scenes: Write) -> None:
    root = write_scenes({"render": "CameraRGB/{sequence}{number}.png"})
    with pytest.raises(DumpError, match=r"found CameraRGB.*\(pictures\).*Nearest is carla .*missing: .*CameraSeg"):
        discover(str(root))


def test_names_with_the_kind_in_front_pair_up(write_scenes: Write) -> None:
    root = write_scenes(
        {
            "render": "{sequence}/rgb/rgb_{number:05d}.png",
            "label": "{sequence}/semantic/semantic_{number:05d}.png",
            "instance": "{sequence}/instance/{number:05d}_id.png",
        }
    )
    dump = discover(str(root), label_space="carla-0.9.14")
    assert [(f.sample_id, f.label, f.instance) for f in dump.frames[:1]] == [
        ("town1/rgb_00000", "town1/semantic/semantic_00000.png", "town1/instance/00000_id.png")
    ]
    assert len(dump.frames) == 6


def test_labels_in_arrays_are_told_to_become_png(write_scenes: Write) -> None:
    root = write_scenes({"render": "rgb/{sequence}{number}.png"})
    (root / "semantic").mkdir()
    np.save(root / "semantic" / "town10.npy", np.zeros((60, 90), np.uint8))
    with pytest.raises(DumpError, match=r"semantic/town10.npy.*labels as PNG"):
        discover(str(root), label_space="carla-0.9.14")


def test_cameras_of_bench2drive_are_sequences(write_scenes: Write) -> None:
    root = write_scenes(
        {
            "render": "{sequence}/camera/rgb_front/{number:05d}.jpg",
            "label": "{sequence}/camera/semantic_front/{number:05d}.png",
        }
    )
    dump = discover(str(root))
    assert (dump.simulator, dump.label_space) == ("carla", "carla-0.9.14")
    assert dump.sequence_ids == ("town1/camera/front", "town2/camera/front")


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "0.hdf5", "w") as file:
        file["colors"] = np.zeros((8, 8, 3), np.uint8)
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(DumpError, match=r"sflow-pipeline\[hdf5\]"):
        discover(str(tmp_path))


def test_instances_of_synthia_are_in_the_green_channel(tmp_path: Path) -> None:
    label = np.zeros((8, 8, 3), np.uint16)
    label[..., 2] = 8  # car, in red
    label[2:4, :, 1], label[5:7, :, 1] = 1, 300
    for folder, pixels in (("RGB", np.zeros((8, 8, 3), np.uint8)), ("GT/LABELS", label)):
        (tmp_path / folder).mkdir(parents=True)
        assert cv2.imwrite(str(tmp_path / folder / "0000000.png"), pixels)
    dump = discover(str(tmp_path))
    assert dump.frames[0].instance == dump.frames[0].label
    assert dump.instance_encoding == "class_in_red"


def test_instances_of_replicator_are_labels_too(tmp_path: Path) -> None:
    colors = np.zeros((8, 8, 4), np.uint8)
    colors[2:5] = (9, 8, 7, 255)
    classes = {"(7, 8, 9, 255)": {"class": "car"}}
    for name, pixels in (("rgb_1_0000", np.zeros((8, 8, 3), np.uint8)), ("instance_segmentation_1_0000", colors)):
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
    (tmp_path / "instance_segmentation_semantics_mapping_1_0000.json").write_text(json.dumps(classes))
    dump = discover(str(tmp_path))
    frame = dump.frames[0]
    assert (dump.simulator, frame.sample_id, frame.instance) == ("replicator", "1/0000", frame.label)
    reading = dump.label_format.read(
        dump.folder.read_bytes(frame.label), dump.folder.read_bytes(str(frame.label_table)), frame.label
    )
    names = {item.id: item.name for item in dump.label_format.space.classes}
    assert [names[i] for i in reading.label_map[[0, 3], 0].tolist()] == ["BACKGROUND", "car"]


def test_instances_of_solo_are_labels_too(tmp_path: Path) -> None:
    folder = tmp_path / "sequence.0"
    folder.mkdir()
    colors = np.zeros((8, 8, 3), np.uint8)
    colors[2:5] = (0, 255, 0)
    for name, pixels in (("camera", np.zeros((8, 8, 3), np.uint8)), ("instances", colors)):
        assert cv2.imwrite(str(folder / f"step0.{name}.png"), pixels)
    kind = "type.unity.com/unity.solo.InstanceSegmentationAnnotation"
    objects = [{"instanceId": 1, "labelId": 1, "labelName": "Car", "color": [0, 255, 0, 255]}]
    annotation = {"@type": kind, "filename": "step0.instances.png", "instances": objects}
    captures = [{"id": "camera", "filename": "step0.camera.png", "annotations": [annotation]}]
    (folder / "step0.frame_data.json").write_text(json.dumps({"captures": captures}))
    dump = discover(str(tmp_path))
    frame = dump.frames[0]
    assert (frame.label, frame.instance) == ("sequence.0/step0.instances.png",) * 2
    assert set(dump.label_format.space.names) == {"Car", "unlabeled"}


def test_captures_of_solo_with_the_same_id_are_left_out(tmp_path: Path, load_layout: LoadLayout) -> None:
    for folder in ("sequence.0", "sequence.1"):
        load_layout("unity_solo").write_step(tmp_path / folder, 0, ("left", "right"))
    table = tmp_path / "sequence.0" / "step0.frame_data.json"
    table.write_text(table.read_text().replace('"id": "right"', '"id": "left"'))
    dump = discover(str(tmp_path))
    assert dump.sequence_ids == ("sequence.1/left", "sequence.1/right")
    (problem,) = dump.problems
    assert problem.kind == "duplicate_id"
    assert set(problem.paths) == {f"sequence.0/step0.{camera}.png" for camera in ("left", "right")}


@pytest.mark.parametrize(
    ("camera", "sequence"), [("front/left", "sequence.0/front_left"), ("../../evil", None), ("a\nb", None)]
)
def test_ids_of_solo_become_names_of_folders(
    tmp_path: Path, load_layout: LoadLayout, camera: str, sequence: str | None
) -> None:
    load_layout("unity_solo").write_step(tmp_path / "sequence.0", 0, ("main", "other"))
    table = tmp_path / "sequence.0" / "step0.frame_data.json"
    table.write_text(table.read_text().replace('"id": "other"', f'"id": {json.dumps(camera)}'))
    dump = discover(str(tmp_path))
    assert dump.sequence_ids == ((sequence, "sequence.0/main") if sequence else ("sequence.0",))
    assert [problem.kind for problem in dump.problems] == ([] if sequence else ["unsafe_name"])


def test_blenderproc_tells_minus_one_and_zero_apart(tmp_path: Path) -> None:
    categories = np.array([[-1, 0], [1, 0]], np.int32).repeat(8, 0).repeat(8, 1)
    with h5py.File(tmp_path / "0.hdf5", "w") as file:
        file["colors"] = np.zeros((16, 16, 3), np.uint8)
        file["category_id_segmaps"] = categories
        objects = [{"idx": 1, "category_id": 0, "name": "Car"}, {"idx": 2, "category_id": 1, "name": "Road"}]
        file["instance_attribute_maps"] = np.bytes_(json.dumps(objects))
    dump = discover(str(tmp_path))
    label = dump.label_format.read(dump.folder.read_bytes(dump.frames[0].label), None, "label").label_map
    names = {item.id: item.name for item in dump.label_format.space.classes}
    assert [names[i] for i in label[::8, ::8].ravel().tolist()] == ["unlabeled", "Car", "Road", "Car"]


def test_a_stereo_pair_of_blenderproc_is_two_cameras(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "7.hdf5", "w") as file:
        file["colors"] = np.stack([np.full((8, 8, 3), value, np.uint8) for value in (10, 20)])
        file["category_id_segmaps"] = np.stack([np.full((8, 8), value, np.int32) for value in (1, 2)])
        objects = [{"idx": 1, "category_id": 1, "name": "Car"}, {"idx": 2, "category_id": 2, "name": "Road"}]
        file["instance_attribute_maps"] = np.bytes_(json.dumps(objects))
    dump = discover(str(tmp_path))
    assert dump.sequence_ids == ("left", "right")
    for frame, category in zip(dump.frames, (1, 2), strict=True):
        label = dump.label_format.read(dump.folder.read_bytes(frame.label), None, frame.label).label_map
        assert (label == category).all()
