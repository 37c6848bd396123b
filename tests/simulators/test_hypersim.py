"""Hypersim: classes, instances, distances and camera of indoor scenes, from HDF5 files."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from sflow_pipeline.errors import DumpError
from sflow_pipeline.inspection.inspect_dump import inspect_dump
from sflow_pipeline.simulators import discover
from sflow_pipeline.storage.filesystem import Folder

MakeLayout = Callable[[str], Path]


def test_trajectories_are_sequences_of_their_scenes_split(make_layout: MakeLayout) -> None:
    root = make_layout("hypersim")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_space, dump.problems) == ("hypersim", "nyu40", ())
    assert [(f.sample_id, f.frame_index, f.split) for f in dump.frames] == [
        ("ai_001_001/cam_00/0000", 0, "train"),
        ("ai_001_001/cam_00/0001", 1, "train"),
        ("ai_001_001/cam_01/0004", 4, "train"),
        ("ai_002_003/cam_00/0000", 0, "val"),
    ]
    assert all(frame.render.endswith(".tonemap.jpg") for frame in dump.frames)
    (root / "metadata_images_split_scene_v1.csv").unlink()
    assert {frame.split for frame in discover(str(root)).frames} == {"train"}


def test_arrays_and_poses_of_a_frame(make_layout: MakeLayout) -> None:
    root = make_layout("hypersim")
    frame = discover(str(root)).frames[2]
    folder = Folder(str(root))

    def decode(path: str | None) -> np.ndarray:
        return cv2.imdecode(np.frombuffer(folder.read_bytes(str(path)), np.uint8), cv2.IMREAD_UNCHANGED)

    assert decode(frame.label)[0].reshape(4, 8).T.tolist() == [[0, 1, 2, 35]] * 8
    assert sorted(np.unique(decode(frame.instance))) == [0, 301, 302, 335]
    depth = np.load(io.BytesIO(folder.read_bytes(str(frame.depth))))
    assert (depth.dtype, depth.shape, float(depth[0, 0])) == (np.float16, (32, 32), 2.5)
    assert json.loads(folder.read_bytes(str(frame.camera))) == {
        "position": [4.0, 0.0, -8.0],
        "orientation": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        "look_at": [0.0, 0.0, 0.0],
        "meters_per_asset_unit": 0.0254,
    }


def test_what_a_street_model_makes_of_a_room_is_said(make_layout: MakeLayout) -> None:
    found = inspect_dump(str(make_layout("hypersim")))
    assert {row.name: row.share for row in found.classes} == dict.fromkeys(("unlabeled", "wall", "floor", "lamp"), 0.25)
    assert found.unmapped_ids == ()
    assert {"lamp", "sofa", "bed"} <= set(found.lost_classes)
    assert not {"wall", "floor", "unlabeled"} & set(found.lost_classes)


def test_scenes_as_they_are_downloaded_are_named(make_layout: MakeLayout) -> None:
    root = make_layout("hypersim")
    shutil.make_archive(str(root / "ai_002_003"), "zip", root, "ai_002_003")
    shutil.rmtree(root / "ai_002_003")
    dump = discover(str(root))
    assert {frame.split for frame in dump.frames} == {"train"}
    (problem,) = dump.problems
    assert (problem.kind, problem.paths) == ("packed_archive", ("ai_002_003.zip",))
    with pytest.raises(DumpError, match=r"were not read: .*; unpack them"):
        discover(str(root / "ai_002_003.zip"))


def test_boxes_of_a_whole_scene_stay_behind_and_are_named(make_layout: MakeLayout) -> None:
    root = make_layout("hypersim")
    path = root / "ai_001_001/_detail/mesh/metadata_semantic_instance_bounding_box_object_aligned_2d_extents.hdf5"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        file["dataset"] = np.zeros((9, 3))
    (problem,) = discover(str(root)).problems
    assert (problem.kind, problem.paths) == ("not_carried", (path.relative_to(root).as_posix(),))


def test_without_poses_the_frames_go_on(make_layout: MakeLayout) -> None:
    root = make_layout("hypersim")
    shutil.rmtree(root / "ai_001_001" / "_detail")
    (root / "ai_002_003/_detail/cam_00/camera_keyframe_positions.hdf5").write_bytes(b"no HDF5")
    dump = discover(str(root))
    assert len(dump.frames) == 4
    assert {frame.camera for frame in dump.frames} == {None}
    assert [problem.kind for problem in dump.problems] == ["unreadable_record"]
