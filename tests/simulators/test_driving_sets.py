"""Published driving sets as published: SYNTHIA, Playing for Data, VIPER, Virtual KITTI 2, KITTI, CamVid."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from sflow_pipeline.errors import DumpError, FrameError
from sflow_pipeline.inspection.inspect_dump import inspect_dump
from sflow_pipeline.label_spaces import from_colors, load_label_space
from sflow_pipeline.simulators import discover
from sflow_pipeline.storage.image_codec import decode_label

MakeLayout = Callable[[str], Path]
LoadLayout = Callable[[str], ModuleType]


def classes(root: Path) -> dict[str, float]:
    found = inspect_dump(str(root))
    assert found.unmapped_ids == ()
    return {row.name: row.share for row in found.classes}


def quarters(*names: str) -> dict[str, float]:
    return dict.fromkeys(names, 0.25)


def test_synthia_random_frames(make_layout: MakeLayout) -> None:
    root = make_layout("synthia")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_space, dump.label_encoding, dump.fps) == (
        "synthia",
        "synthia22",
        "red_channel",
        None,
    )
    first = dump.frames[0]
    assert (first.sample_id, first.label, first.depth) == (
        "main/0000000",
        "GT/LABELS/0000000.png",
        "Depth/Depth/0000000.png",
    )
    assert dump.problems == ()
    assert classes(root) == quarters("sky", "building", "road", "lane_marking")


@pytest.mark.parametrize("name", ["²", "1" * 20])
def test_synthia_names_that_are_no_numbers_are_numbered_by_place(make_layout: MakeLayout, name: str) -> None:
    root = make_layout("synthia")
    for path in root.rglob("0000001.*"):
        path.rename(path.with_name(f"{name}{path.suffix}"))
    assert len(discover(str(root), simulator="synthia").frames) == 2


def test_synthia_16_bit_labels_are_not_misread(make_layout: MakeLayout) -> None:
    data = (make_layout("synthia") / "GT" / "LABELS" / "0000000.png").read_bytes()
    assert sorted(np.unique(decode_label(data, "red_channel")).tolist()) == [1, 2, 3, 22]
    eight_bits = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert not eight_bits[..., 2].any()  # what a reader of 8 bits makes of it


def test_synthia_videos_have_other_ids(tmp_path: Path, load_layout: LoadLayout) -> None:
    load_layout("synthia").write_video(tmp_path)
    dump = discover(str(tmp_path))
    assert (dump.label_space, dump.fps, dump.version) == ("synthia-seqs", 5.0, "video sequences")
    assert dump.sequence_ids == (
        "SYNTHIA-SEQS-01-SPRING/Stereo_Left/Omni_F",
        "SYNTHIA-SEQS-01-SPRING/Stereo_Right/Omni_F",
    )
    assert dump.frames[0].camera == "SYNTHIA-SEQS-01-SPRING/CameraParams/Stereo_Left/Omni_F/000000.txt"
    assert classes(tmp_path) == quarters("sky", "building", "lane_marking", "traffic_light")


def test_genuine_old_synthia_colours(shared_data: Path) -> None:
    sets = shared_data / "datumaro-assets" / "tests" / "assets" / "synthia_dataset"
    assert discover(str(sets / "rand")).label_space == "synthia-seqs"
    assert set(classes(sets / "rand")) == {"sky", "building", "road", "traffic_light"}
    assert (set(classes(sets / "al")), discover(str(sets / "al")).label_space) == (
        {"sky", "pedestrian", "car", "cyclist", "road"},
        "synthia-seqs",
    )
    left = discover(str(sets / "sf"))
    assert (left.label_space, left.label_encoding, left.frames[0].depth) == (
        "synthia22",
        "palette",
        "DepthLeft/000000.png",
    )
    assert {"road", "terrain", "sky"} <= set(classes(sets / "sf"))


def test_playing_for_data_is_read_by_index(make_layout: MakeLayout) -> None:
    root = make_layout("gta")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_space, dump.label_encoding) == ("gta", "gta", "ids")
    assert [f.sample_id for f in dump.frames] == ["main/00001", "main/00002"]
    assert classes(root) == quarters("sky", "building", "road", "license_plate")


@pytest.mark.parametrize("storage", ["grey", "other palette", "other colours"])
def test_names_like_those_of_playing_for_data_are_not_enough(
    make_layout: MakeLayout, load_layout: LoadLayout, storage: str
) -> None:
    root = make_layout("gta")
    ids = np.array([[1, 2, 3, 4]], np.uint8).repeat(32, 0).repeat(8, 1)
    for path in (root / "labels").iterdir():
        if storage == "grey":
            assert cv2.imwrite(str(path), ids)
        elif storage == "other palette":
            path.write_bytes(load_layout("gta").indexed_png(ids + 100))
        else:
            assert cv2.imwrite(str(path), np.dstack([ids * 40, ids, ids]))
    with pytest.raises(DumpError, match="no known layout, found images/") as caught:
        discover(str(root))
    assert "--layout" in caught.value.hint and "labels/{frame}.png" in caught.value.hint
    assert discover(str(root), simulator="gta").simulator == "gta"


@pytest.mark.parametrize(
    ("folders", "suffix"),
    [(("images", "labels", "instances"), "jpg"), (("train", "trainannot"), "png"), (("RGB", "GT"), "png")],
)
def test_folders_like_those_of_photo_sets_are_not_enough(tmp_path: Path, folders: tuple[str, ...], suffix: str) -> None:
    """Own classes are not read with those of Mapillary Vistas, CamVid or SYNTHIA."""
    ramp = (np.arange(32 * 32 * 3).reshape(32, 32, 3) // 16).astype(np.uint8)
    ids = np.array([[1, 2, 3, 4]], np.uint8).repeat(32, 0).repeat(8, 1)
    for folder in folders:
        (tmp_path / folder).mkdir()
        for frame in range(2):
            is_picture = folder == folders[0]
            path = tmp_path / folder / f"{frame:06}.{suffix if is_picture else 'png'}"
            assert cv2.imwrite(str(path), ramp if is_picture else ids)
    with pytest.raises(DumpError, match="no known layout, found") as caught:
        discover(str(tmp_path))
    assert f"{folders[1]}/{{frame}}.png" in caught.value.hint


def write_synthia_al(root: Path, label: np.ndarray) -> None:
    ramp = np.arange(192).reshape(8, 8, 3).astype(np.uint8)
    for folder, pixels in (("RGB", ramp), ("SemSeg", label)):
        path = root / "test" / "scene1" / "01-02-2019_10-11-12" / folder / "000007.png"
        path.parent.mkdir(parents=True)
        assert cv2.imwrite(str(path), pixels)


def test_synthia_for_active_learning(tmp_path: Path) -> None:
    label = np.zeros((8, 8, 3), np.uint8)
    label[:4], label[4:] = (128, 128, 128), (128, 0, 64)  # BGR of sky and car
    write_synthia_al(tmp_path, label)
    dump = discover(str(tmp_path))
    assert (dump.simulator, dump.label_space, dump.label_encoding, dump.fps) == (
        "synthia",
        "synthia-seqs",
        "palette",
        25.0,
    )
    assert dump.sequence_ids == ("test/scene1/01-02-2019_10-11-12",)
    assert classes(tmp_path) == {"sky": 0.5, "car": 0.5}


def test_ids_of_synthia_for_active_learning_need_a_table(tmp_path: Path) -> None:
    write_synthia_al(tmp_path, np.full((8, 8), 11, np.uint8))
    with pytest.raises(DumpError, match=r"no known layout.*found test/scene1"):
        discover(str(tmp_path))
    with pytest.raises(DumpError, match="what their ids mean is not published") as caught:
        discover(str(tmp_path), simulator="synthia")
    assert "--label-space" in caught.value.hint
    assert discover(str(tmp_path), simulator="synthia", label_space="carla-0.9.14").label_encoding == "ids"


def test_playing_for_data_saved_as_colours_is_read_by_colour(make_layout: MakeLayout) -> None:
    root = make_layout("gta")
    for path in (root / "labels").iterdir():
        assert cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_COLOR))
    assert discover(str(root)).label_encoding == "palette"
    assert classes(root) == {"sky": 0.25, "building": 0.25, "road": 0.25, "car": 0.25}  # plates have the cars' colour


def test_viper_drives(make_layout: MakeLayout) -> None:
    root = make_layout("viper")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_space) == ("viper", "viper")
    assert [(f.sample_id, f.frame_index, f.split) for f in dump.frames] == [
        ("train/001/001_00001", 1, "train"),
        ("train/001/001_00011", 11, "train"),
        ("val/044/044_00001", 1, "val"),
    ]
    assert dump.frames[0].flow == "train/flow/001/001_00001.npz"
    assert classes(root) == pytest.approx(quarters("sky", "building", "road", "van"))


def test_virtual_kitti_scenes_variations_and_cameras(make_layout: MakeLayout) -> None:
    root = make_layout("vkitti2")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_encoding, dump.fps) == ("vkitti2", "palette", 10.0)
    assert dump.sequence_ids == tuple(
        f"Scene01/{variation}/Camera_{camera}" for variation in ("15-deg-left", "clone") for camera in (0, 1)
    )
    assert dump.modalities == ("render", "label", "instance", "depth", "flow", "boxes", "camera")
    assert dump.problems == ()  # the last frame needs no flow
    assert "cm" in dump.metadata["units"]["depth"]
    assert classes(root) == quarters("sky", "building", "road", "car")


def test_half_of_virtual_kitti_names_the_missing_archive(make_layout: MakeLayout) -> None:
    root = make_layout("vkitti2")
    shutil.rmtree(
        root / "vkitti_2.0.3_classSegmentation" / "Scene01" / "clone" / "frames" / "classSegmentation" / "Camera_1"
    )
    dump = discover(str(root))
    (missing,) = [problem for problem in dump.problems if problem.kind == "missing_label"]
    assert (len(dump.frames), len(missing.paths), missing.severity) == (6, 2, "error")


def test_kitti_photos(make_layout: MakeLayout) -> None:
    root = make_layout("kitti")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_space, dump.fps) == ("kitti", "cityscapes34", None)
    assert [f.sample_id for f in dump.frames] == ["training/000000_10", "training/000001_10"]
    assert dump.frames[0].instance == "training/instance/000000_10.png"
    assert classes(root) == quarters("sky", "building", "road", "car")


def test_camvid_in_32_colours(make_layout: MakeLayout) -> None:
    root = make_layout("camvid32")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_space, dump.label_encoding) == ("camvid32", "camvid32", "palette")
    assert [(f.sample_id, f.frame_index) for f in dump.frames] == [
        ("0001TP/0001TP_006690", 6690),
        ("0001TP/0001TP_006720", 6720),
        ("Seq05VD/Seq05VD_f00000", 0),
    ]
    assert classes(root) == pytest.approx(quarters("Sky", "Building", "LaneMkgsDriv", "SUVPickupTruck"))


def test_red_and_blue_taken_for_each_other_never_pass_unseen() -> None:
    swapped = np.array([[color[::-1] for color in ((244, 35, 232), (0, 0, 142))]], np.uint8)
    assert len(from_colors(swapped, load_label_space("gta")).unknown_colors) == 2
    with pytest.raises(FrameError, match="3-channel colour where one channel of class ids was expected"):
        decode_label(cv2.imencode(".png", swapped)[1].tobytes(), "ids", name="labels/00001.png")


def test_airsim_moments(make_layout: MakeLayout, load_layout: LoadLayout) -> None:
    root = make_layout("airsim")
    with pytest.raises(DumpError) as caught:
        discover(str(root))
    assert "nothing states what AirSim's segmentation colours mean" in caught.value.message
    assert "--label-space" in caught.value.hint
    space = str(root.parent / "airsim-labels.yaml")
    dump = discover(str(root), label_space=space)
    assert [(f.sample_id, f.frame_index) for f in dump.frames] == [
        ("PhysXCar_0/000000", 0),
        ("PhysXCar_0/000001", 1),
        ("PhysXCar_frontcenter/000000", 0),
        ("PhysXCar_frontcenter/000001", 1),
    ]
    assert dump.frames[1].label == "images/img_PhysXCar_0_5_1546299012.png"
    assert str(dump.frames[1].depth).endswith(".pfm")
    shares = {row.name: row.share for row in inspect_dump(str(root), label_space=space).classes}
    assert shares == quarters("road", "car", "tree", "sky")


def test_mapillary_takes_its_first_classes(make_layout: MakeLayout) -> None:
    root = make_layout("mapillary")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_space, dump.problems) == ("mapillary", "mapillary", ())
    assert [(f.sample_id, f.split, f.label) for f in dump.frames] == [
        ("training/_3jZz1x", "train", "training/v1.2/labels/_3jZz1x.png"),
        ("validation/0Wb9QpA", "val", "validation/v1.2/labels/0Wb9QpA.png"),
    ]
    assert classes(root) == quarters("sky", "building", "road", "car")


def test_genuine_mapillary_layout(shared_data: Path) -> None:
    dump = discover(str(shared_data / "datumaro-assets" / "tests" / "assets" / "mapillary_vistas_dataset"))
    assert dump.simulator == "mapillary"
    assert [(f.sample_id, f.split) for f in dump.frames] == [("train/2", "train"), ("val/0", "val"), ("val/1", "val")]


def test_ade20k(make_layout: MakeLayout) -> None:
    root = make_layout("ade20k")
    dump = discover(str(root))
    assert [(f.sample_id, f.frame_index, f.split) for f in dump.frames] == [
        ("main/ADE_train_00000001", 1, "train"),
        ("main/ADE_train_00000002", 2, "train"),
        ("main/ADE_val_00000001", 1, "val"),
    ]
    assert classes(root) == quarters("sky", "building", "road", "other")
