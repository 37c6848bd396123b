"""Dumps that name their classes themselves: Replicator, Unity SOLO, BlenderProc."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest

from sflow_pipeline.errors import DumpError, FrameError
from sflow_pipeline.inspection.inspect_dump import inspect_dump
from sflow_pipeline.label_spaces import LabelSpace, from_table
from sflow_pipeline.simulators import discover
from sflow_pipeline.simulators.label_tables.basic_writer import read_basic_writer_table
from sflow_pipeline.simulators.label_tables.solo import read_solo_table
from sflow_pipeline.storage.filesystem import Folder

MakeLayout = Callable[[str], Path]


def shares(root: Path) -> dict[str, float]:
    return {row.name: row.share for row in inspect_dump(str(root)).classes}


def test_replicator_frames_carry_their_tables_and_boxes(make_layout: MakeLayout) -> None:
    dump = discover(str(make_layout("replicator")))
    assert (dump.simulator, dump.label_encoding, len(dump.frames)) == ("replicator", "table", 2)
    frame = dump.frames[1]
    assert (frame.sample_id, frame.frame_index) == ("main/0001", 1)
    assert frame.label_table == "semantic_segmentation_labels_0001.json"
    assert (frame.boxes, frame.boxes_file) == (
        "bounding_box_2d_tight_labels_0001.json",
        "bounding_box_2d_tight_0001.npy",
    )
    assert frame.depth == "distance_to_image_plane_0001.npy"
    assert {"depth", "boxes", "boxes_file"} <= set(dump.metadata["units"])


def test_one_colour_means_another_class_in_the_next_frame(make_layout: MakeLayout) -> None:
    found = inspect_dump(str(make_layout("replicator")))
    assert {row.name: row.share for row in found.classes} == {
        "BACKGROUND": 0.25,
        "UNLABELLED": 0.25,
        "cone,obstacle": 0.125,
        "road": 0.125,
        "person": 0.125,
        "Gizmo": 0.125,
    }
    becomes = {row.source_name: row.target_name for row in found.mapping}
    assert (becomes["person"], becomes["road"], becomes["BACKGROUND"]) == ("pedestrian", "road", "void")
    assert "Gizmo" in found.lost_classes
    (problem,) = found.problems
    assert problem.message == (
        "classes of unknown meaning, treated as void: Gizmo; state their concepts in a file for --label-space"
    )


def test_replicator_in_folders_per_camera(make_layout: MakeLayout) -> None:
    root = make_layout("replicator")
    for path in [path for path in root.iterdir() if path.suffix != ".txt"]:
        annotator = path.stem.removesuffix(path.stem[-5:]).removesuffix("_labels").removesuffix("_prim_paths")
        for camera in ("Camera_01", "Camera_02"):
            target = root / camera / annotator / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        path.unlink()
    dump = discover(str(root))
    assert dump.sequence_ids == ("Camera_01", "Camera_02")
    assert all(frame.label_table and frame.boxes and frame.boxes_file for frame in dump.frames)


def test_replicator_labels_as_numbers(tmp_path: Path) -> None:
    table = read_basic_writer_table(b'{"0": {"class": "BACKGROUND"}, "3": "car"}', "labels.json")
    assert table.ids == {0: "BACKGROUND", 3: "car"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"(1, 2)": {"class": "car"}}',
        b'{"(1, 2, 3, 4)": {}}',
        b'{"(256, 2, 3, 4)": {"class": "car"}}',
        b'{"99999": {"class": "car"}}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_table_that_is_none_names_its_file(content: bytes) -> None:
    with pytest.raises(FrameError, match=r"labels\.json: does not say what the label's pixels mean"):
        read_basic_writer_table(content, "labels.json")


def test_a_label_without_its_table_is_left_out(make_layout: MakeLayout) -> None:
    root = make_layout("replicator")
    (root / "semantic_segmentation_labels_0000.json").unlink()
    dump = discover(str(root))
    assert [frame.frame_index for frame in dump.frames] == [1]
    (missing,) = [problem for problem in dump.problems if problem.kind == "missing_table"]
    assert missing.paths == ("semantic_segmentation_0000.png",)


def test_a_label_space_of_ones_own_must_name_every_class(make_layout: MakeLayout, tmp_path: Path) -> None:
    root = make_layout("replicator")
    with pytest.raises(DumpError, match="classes that label space camvid11 does not have: BACKGROUND, Gizmo"):
        discover(str(root), label_space="camvid11")
    names = ["BACKGROUND", "UNLABELLED", "cone,obstacle", "road", "person", "Gizmo"]
    classes = [
        {"id": i, "name": name, "concepts": [f"vehicle.car.kind{i}"], "color": [i, 0, 0]}
        for i, name in enumerate(names)
    ]
    (tmp_path / "own.yaml").write_text(json.dumps({"name": "own", "version": 1, "void": None, "classes": classes}))
    found = inspect_dump(str(root), label_space=str(tmp_path / "own.yaml"))
    assert {row.target_name for row in found.mapping} == {"car"}
    assert sum(row.share for row in found.classes) == 1


def test_genuine_replicator_frames(shared_data: Path) -> None:
    root = shared_data / "replicator-praqtor"
    dump = discover(str(root))
    assert [frame.frame_index for frame in dump.frames] == [0, 1, 2]
    assert isinstance(dump.label_space, LabelSpace)
    assert {"cone,obstacle", "box,cargo", "BACKGROUND", "UNLABELLED"} <= set(dump.label_space.names)
    folder = Folder(str(root))
    for frame in dump.frames:
        pixels = cv2.imdecode(np.frombuffer(folder.read_bytes(frame.label), np.uint8), cv2.IMREAD_UNCHANGED)
        listed = json.loads(folder.read_bytes(str(frame.label_table)))
        table = read_basic_writer_table(folder.read_bytes(str(frame.label_table)), "")
        reading = from_table(np.ascontiguousarray(pixels[..., [2, 1, 0, 3]]), table, dump.label_space)
        assert reading.unknown_colors == {}
        for key, value in listed.items():  # by hand, colour by colour
            red, green, blue, alpha = (int(part) for part in key.strip("()").split(","))
            here = (pixels == np.array([blue, green, red, alpha])).all(axis=2)
            class_id = dump.label_space.names.index(value["class"])
            assert np.array_equal(reading.label_map == class_id, here), key
        boxes = np.load(io.BytesIO(folder.read_bytes(str(frame.boxes_file))))
        assert {"semanticId", "x_min"} <= set(boxes.dtype.names)


def test_solo_sequences(make_layout: MakeLayout) -> None:
    root = make_layout("unity_solo")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_encoding) == ("unity-solo", "table")
    assert [(f.sample_id, f.frame_index) for f in dump.frames] == [
        ("solo/sequence.0/step0.camera", 0),
        ("solo/sequence.0/step1.camera", 1),
        ("solo/sequence.1/step0.camera", 0),
        ("solo/sequence.1/step1.camera", 1),
    ]
    assert dump.frames[0].label == "solo/sequence.0/step0.camera.semantic segmentation.png"
    assert dump.frames[0].boxes == dump.frames[0].camera == "solo/sequence.0/step0.frame_data.json"
    assert shares(root) == {"Car": 0.5, "unlabeled": 0.5}


def test_solo_with_two_cameras_has_a_sequence_for_each(tmp_path: Path, load_layout: Callable[[str], object]) -> None:
    load_layout("unity_solo").write_step(tmp_path / "sequence.0", 0, ("left", "right"))  # type: ignore[attr-defined]
    dump = discover(str(tmp_path))
    assert [f.sample_id for f in dump.frames] == ["sequence.0/left/step0.left", "sequence.0/right/step0.right"]


def test_solo_files_that_json_names_and_nobody_wrote(make_layout: MakeLayout) -> None:
    root = make_layout("unity_solo")
    (root / "solo" / "sequence.1" / "step1.camera.semantic segmentation.png").unlink()
    (root / "solo" / "sequence.0" / "step1.frame_data.json").write_text('{"captures": 7}')
    dump = discover(str(root))
    assert [f.sample_id for f in dump.frames] == ["solo/sequence.0/step0.camera", "solo/sequence.1/step0.camera"]
    assert {problem.kind for problem in dump.problems} == {"missing_label", "missing_table"}


@pytest.mark.parametrize(
    "annotation",
    [
        {"instances": None},
        {"instances": {"pixelValue": [1, 2, 3, 255]}},
        {"instances": [{"pixelValue": [float("inf"), 0, 0, 255], "labelName": "car"}]},
    ],
)
def test_solo_tables_that_are_none(annotation: dict[str, Any]) -> None:
    kind = {"@type": "type.unity.com/unity.solo.SemanticSegmentationAnnotation"}
    content = {"captures": [{"annotations": [{**kind, **annotation}]}]}
    with pytest.raises(FrameError, match="does not say what the label's pixels mean"):
        read_solo_table(json.dumps(content).encode(), "step0.frame_data.json")


def test_solo_pictures_that_are_no_names(make_layout: MakeLayout) -> None:
    root = make_layout("unity_solo")
    path = root / "solo" / "sequence.0" / "step1.frame_data.json"
    content = json.loads(path.read_bytes())
    content["captures"][0]["filename"] = ["step1.camera.png"]
    path.write_text(json.dumps(content))
    assert "solo/sequence.0/step1.camera" not in [f.sample_id for f in discover(str(root)).frames]


def test_genuine_solo(shared_data: Path) -> None:
    root = shared_data / "unity-solo"
    dump = discover(str(root))
    assert (len(dump.frames), len(dump.sequence_ids)) == (20, 20)
    assert {problem.severity for problem in dump.problems} <= {"warning"}
    assert set(shares(root)) == {"unlabeled", "Crate"}
    assert inspect_dump(str(root)).unmapped_ids == ()


def test_blenderproc_categories_are_named_after_their_objects(make_layout: MakeLayout) -> None:
    root = make_layout("blenderproc")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_encoding) == ("blenderproc", "ids")
    assert [f.sample_id for f in dump.frames] == ["run 0/0", "run 0/1"]
    assert dump.modalities == ("render", "label", "label_table", "instance", "depth", "flow")
    assert isinstance(dump.label_space, LabelSpace)
    assert {c.id: c.name for c in dump.label_space.classes} == {0: "background", 7: "Street", 1514: "Car,car"}
    assert shares(root) == {"background": 0.5, "Street": 0.25, "Car,car": 0.25}
    becomes = {row.source_id: row.target_name for row in inspect_dump(str(root)).mapping}
    assert becomes == {0: "void", 7: "road", 1514: "car"}


def test_genuine_blenderproc(shared_data: Path) -> None:
    found = inspect_dump(str(shared_data / "blenderproc-hangar"))
    assert (found.frames, found.sizes) == (1, {"1920x1080": 1})
    assert found.unmapped_ids == ()
    assert {"floor", "Hangar", "Drone"} <= {row.name for row in found.classes}
    assert sum(row.share for row in found.classes) == pytest.approx(1)


def test_blenderproc_categories_that_no_label_file_can_hold(make_layout: MakeLayout) -> None:
    root = make_layout("blenderproc")
    with h5py.File(root / "run 0" / "1.hdf5", "r+") as file:
        del file["instance_attribute_maps"]
        file["instance_attribute_maps"] = np.bytes_('[{"category_id": -2, "name": "Nothing"}]')
    dump = discover(str(root))
    assert len(dump.frames) == 2
    assert [(problem.kind, problem.severity) for problem in dump.problems] == [("unnamed_ids", "warning")]


def test_blenderproc_masks_become_labels_pixel_for_pixel(make_layout: MakeLayout) -> None:
    root = make_layout("blenderproc_coco")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_encoding, dump.problems[0].kind) == ("blenderproc-coco", "ids", "strange_class")
    assert [f.sample_id for f in dump.frames] == ["coco_data/000000", "coco_data/000001"]
    assert dump.modalities == ("render", "label", "instance", "boxes")
    folder = Folder(str(root))
    frame = dump.frames[1]
    quarters = np.array(((0, 7), (1514, 9))).repeat(16, 0).repeat(16, 1)

    def decode(path: str | None) -> np.ndarray:
        return cv2.imdecode(np.frombuffer(folder.read_bytes(str(path)), np.uint8), cv2.IMREAD_UNCHANGED)

    assert np.array_equal(decode(frame.label), quarters)
    assert decode(frame.label).dtype == np.uint16
    assert set(np.unique(decode(dump.frames[0].label))) == {0, 7}
    boxes = json.loads(folder.read_bytes(str(frame.boxes)))
    instances = decode(frame.instance)
    for position, box in enumerate(boxes, start=1):
        x, y, width, height = box["bbox"]
        inside = instances == position
        assert inside.sum() == box["area"] == width * height
        assert inside[y : y + height, x : x + width].all()
        assert set(quarters[inside]) == {box["category_id"]}
    assert (instances == 0).sum() == 256
    becomes = {row.source_name: row.target_name for row in inspect_dump(str(root)).mapping}
    assert becomes == {"background": "void", "Street": "road", "Gizmo": "void", "Car": "car"}


def change_coco(root: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    path = root / "coco_data" / "coco_annotations.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return root


def test_blenderproc_polygons_are_refused_with_the_way_out(make_layout: MakeLayout) -> None:
    root = change_coco(
        make_layout("blenderproc_coco"),
        lambda content: content["annotations"][3].update(segmentation=[[0, 16, 8, 16, 8, 31]]),
    )
    with pytest.raises(DumpError) as caught:
        discover(str(root))
    assert "masks of 1 pictures in coco_data/coco_annotations.json are polygons" in caught.value.message
    assert "mask_encoding_format='rle'" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segmentation": {"counts": "PPYo1", "size": [32, 32]}}, "not run lengths"),
        ({"segmentation": {"counts": [5], "size": [32, 32]}}, "not one of 32x32 pixels"),
        ({"segmentation": {"counts": [0, 1024], "size": [32, 32]}}, "lies over another one"),
        ({"category_id": 70000}, "does not fit 16 bits"),
    ],
)
def test_masks_that_cannot_be_drawn_are_the_frames_fault(
    make_layout: MakeLayout, change: dict[str, object], message: str
) -> None:
    root = change_coco(make_layout("blenderproc_coco"), lambda content: content["annotations"][-1].update(change))
    found = inspect_dump(str(root))
    assert found.frames == 2
    (problem,) = [problem for problem in found.problems if problem.severity == "error"]
    assert problem.paths == ("coco_data/000001",)
    assert message in problem.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["annotations"][-1].update(image_id=99), "annotations are of image 99"),
        (lambda content: content["images"].append(content["images"][0]), "two pictures have id"),
    ],
    ids=["annotation", "picture"],
)
def test_no_blenderproc_mask_or_picture_is_lost(
    make_layout: MakeLayout, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    with pytest.raises(DumpError, match=message):
        discover(str(change_coco(make_layout("blenderproc_coco"), change)))


def test_blenderproc_pictures_that_no_annotation_file_lists(make_layout: MakeLayout) -> None:
    root = make_layout("blenderproc_coco")
    images = root / "coco_data" / "images"
    (images / "000007.jpg").write_bytes((images / "000000.jpg").read_bytes())
    (images / "000001.jpg").unlink()
    dump = discover(str(root))
    assert [f.sample_id for f in dump.frames] == ["coco_data/000000"]
    (missing,) = [problem for problem in dump.problems if problem.severity == "error"]
    assert (missing.kind, missing.paths) == ("missing_label", ("coco_data/images/000007.jpg",))
    (root / "coco_data" / "coco_annotations.json").write_text("{}")
    with pytest.raises(DumpError, match="is not what its name says"):
        discover(str(root))


def test_blenderproc_bop_scenes_are_refused_with_the_way_out(make_tree: Callable[[list[str]], Path]) -> None:
    scene = "bop_data/lm/train_pbr/000000"
    root = make_tree(
        [f"{scene}/rgb/000000.jpg", f"{scene}/mask_visib/000000_000000.png", f"{scene}/scene_gt.json"],
    )
    with pytest.raises(DumpError) as caught:
        discover(str(root))
    assert f"{scene}/scene_gt.json is of the BOP layout" in caught.value.message
    assert "write_hdf5" in caught.value.hint


@pytest.mark.parametrize(
    ("read", "content", "what"),
    [
        (read_basic_writer_table, b'{"(1, 2, 3, 255)": {"class": "car"}, "(1, 2, 3, 255)": {"class": "box"}}', "twice"),
        (
            read_solo_table,
            (
                b'{"captures": [{"annotations": [{"@type": "x.SemanticSegmentationAnnotation", "instances": ['
                b'{"labelName": "Car", "pixelValue": [1, 2, 3, 9]}, {"labelName": "Box", "pixelValue": [1, 2, 3, 9]}'
                b"]}]}]}"
            ),
            "of two classes",
        ),
    ],
)
def test_a_colour_of_two_classes_is_refused(read: Callable[[bytes, str], object], content: bytes, what: str) -> None:
    with pytest.raises(FrameError, match=what):
        read(content, "labels.json")
