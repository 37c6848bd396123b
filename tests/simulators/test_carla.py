"""CARLA: versions told apart by their tags, the sky that old versions do not tag, genuine recordings."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from sflow_pipeline.errors import DumpError
from sflow_pipeline.inspection.inspect_dump import inspect_dump
from sflow_pipeline.label_spaces import build_mapping, from_colors, load_label_space
from sflow_pipeline.simulators import discover
from sflow_pipeline.simulators.label_rules import split_untagged

MakeCarla = Callable[..., Path]


@pytest.mark.parametrize(
    ("label_space", "sky", "building", "road"),
    [("carla-0.9.9", 0, 1, 7), ("carla-0.9.13", 13, 1, 7), ("carla-0.9.14", 11, 3, 1)],
)
@pytest.mark.parametrize("red_only", [True, False])
def test_versions_by_tags(
    make_carla: MakeCarla, label_space: str, sky: int, building: int, road: int, red_only: bool
) -> None:
    dump = discover(str(make_carla(sky, building, road, red_only=red_only)))
    assert (dump.label_space, dump.label_encoding) == (label_space, "red_channel" if red_only else "ids")
    assert dump.problems == ()
    assert dump.label_rule == ("sky_touches_top" if label_space == "carla-0.9.9" else "")


@pytest.mark.parametrize(
    ("label_space", "sky", "middle"),
    [
        ("carla-0.9.9", (0, 0, 0), (190, 153, 153)),
        ("carla-0.9.13", (70, 130, 180), (100, 40, 40)),
        ("carla-0.9.14", (70, 130, 180), (152, 251, 152)),
    ],
)
def test_versions_by_colours(
    make_carla: MakeCarla, label_space: str, sky: tuple[int, ...], middle: tuple[int, ...]
) -> None:
    dump = discover(str(make_carla(sky, middle, (128, 64, 128))))
    assert (dump.label_space, dump.label_encoding, dump.problems) == (label_space, "palette", ())


def test_the_label_space_can_be_named(make_carla: MakeCarla) -> None:
    dump = discover(str(make_carla(11, 3, 1)), label_space="carla-0.9.13")
    assert (dump.label_space, dump.version, dump.label_rule) == ("carla-0.9.13", "0.9.10 to 0.9.13", "")


def test_weak_evidence_is_a_warning(make_carla: MakeCarla) -> None:
    dump = discover(str(make_carla(7, 5, 7)))  # a road without a sky is the same in 0.9.9 and in 0.9.13
    assert [(p.kind, p.severity) for p in dump.problems] == [("label_space_guessed", "warning")]
    assert "--label-space" in dump.problems[0].message


def test_tables_that_leave_neither_sky_nor_road_are_an_error(make_carla: MakeCarla) -> None:
    with pytest.raises(DumpError, match=r"carla-0.9.13 has 100.00% of the pixels, its sky 0%"):
        discover(str(make_carla(5, 5, 5)))


def test_a_stray_tag_does_not_change_the_table(make_carla: MakeCarla) -> None:
    root = make_carla(13, 1, 7)
    pixels = cv2.imread(str(root / "CameraSeg" / "0.png"))
    pixels[20:22, :10, 2] = 23  # carla-0.9.14 has this id, and nothing else of the scene fits it
    assert cv2.imwrite(str(root / "CameraSeg" / "0.png"), pixels)
    with pytest.raises(DumpError, match=r"carla-0.9.13 has 99.*lacks 23 \(0\.\d+%\).*carla-0.9.14 has 100"):
        discover(str(root))
    assert discover(str(root), label_space="carla-0.9.13").label_space == "carla-0.9.13"


def test_tags_in_the_blue_channel_are_named(make_carla: MakeCarla) -> None:
    root = make_carla(11, 3, 1)
    for path in (root / "CameraSeg").iterdir():
        assert cv2.imwrite(str(path), cv2.imread(str(path))[..., ::-1])
    with pytest.raises(DumpError, match="red and blue are swapped"):
        discover(str(root))


def test_labels_in_jpeg_are_named(make_carla: MakeCarla) -> None:
    root = make_carla(11, 3, 1)
    for path in list(root.rglob("CameraSeg*/*.png")):
        assert cv2.imwrite(str(path.with_suffix(".jpg")), cv2.imread(str(path)))
        path.unlink()
    with pytest.raises(DumpError, match="JPEG files, whose compression changes class ids"):
        discover(str(root))


def test_tags_of_no_version_are_an_error(make_carla: MakeCarla) -> None:
    with pytest.raises(DumpError) as caught:
        discover(str(make_carla(90, 91, 92)))
    assert "--label-space" in caught.value.hint
    assert discover(str(make_carla(90, 91, 92)), label_space="cityscapes34").label_encoding == "red_channel"


def test_unreadable_labels_do_not_stop_discovery(make_carla: MakeCarla) -> None:
    root = make_carla(0, 1, 7, frames=3)
    (root / "CameraSeg" / "1.png").write_bytes(b"broken")
    assert discover(str(root)).label_space == "carla-0.9.9"


def test_sky_is_what_touches_the_top_or_ends_above_the_road() -> None:
    label_map = np.full((8, 8), 9, np.uint8)
    label_map[0, :4] = 0  # open sky
    label_map[2, 6] = 0  # between leaves
    label_map[4:, :] = 7
    label_map[3:6, 0] = 0  # a lawn beside the road
    label_map[7, 7] = 0
    refined = split_untagged(label_map)
    assert (refined[0, :4] == 13).all()
    assert refined[2, 6] == 13
    assert (refined[3:6, 0] == 22).all()
    assert refined[7, 7] == 22
    assert (refined[label_map != 0] == label_map[label_map != 0]).all()
    assert label_map[0, 0] == 0  # the argument is left alone


def test_sky_rule_keeps_type_and_bears_extremes() -> None:
    assert split_untagged(np.zeros((4, 5), np.uint16)).dtype == np.uint16
    assert (split_untagged(np.zeros((4, 5), np.uint8)) == 13).all()
    full = np.full((4, 5), 7, np.uint8)
    assert (split_untagged(full) == full).all()


def test_loose_pairs_are_numbered_by_frame_and_not_by_tick(tmp_path: Path) -> None:
    sky_and_road = np.repeat(np.array([[11], [3], [1]], np.uint8), 8, axis=1)
    for name in ("Town01_000002_900", "Town01_000001_950", "main_000007_1", "shot"):
        for ending in ("img", "labelIds"):
            assert cv2.imwrite(str(tmp_path / f"{name}_{ending}.png"), sky_and_road)
    dump = discover(str(tmp_path))
    assert [(f.sample_id, f.frame_index) for f in dump.frames] == [
        ("Town01/Town01_000001_950", 1),
        ("Town01/Town01_000002_900", 2),
        ("main/main_000007_1", 0),
        ("main/shot", 1),
    ]
    assert dump.label_space == "carla-0.9.14"


def test_loose_pairs_of_two_drives_that_count_from_one_have_numbers_of_their_own(tmp_path: Path) -> None:
    sky_and_road = np.repeat(np.array([[11], [3], [1]], np.uint8), 8, axis=1)
    names = ["Town01_0001_100", "Town01_0001_200", "Town01_0002_100", "Town01_0002_200"]
    for name in names:
        for ending in ("img", "labelIds"):
            assert cv2.imwrite(str(tmp_path / f"{name}_{ending}.png"), sky_and_road)
    dump = discover(str(tmp_path))
    assert [(f.sample_id, f.frame_index) for f in dump.frames] == [
        (f"Town01/{name}", i) for i, name in enumerate(names)
    ]


def test_two_recordings_of_one_camera_are_not_mixed(tmp_path: Path) -> None:
    sky_and_road = np.repeat(np.array([[11], [3], [1]], np.uint8), 8, axis=1)
    folders = ["CameraRGB", "CameraSeg", "sensor.camera.rgb", "sensor.camera.semantic_segmentation"]
    for folder in folders:
        (tmp_path / "run" / folder).mkdir(parents=True)
        for name in ("1", "2") if folder == folders[-1] else ("1", "2", "3" if "Camera" in folder else "4", "5"):
            assert cv2.imwrite(str(tmp_path / "run" / folder / f"{name}.png"), sky_and_road)
    dump = discover(str(tmp_path))
    assert [(frame.render, frame.label) for frame in dump.frames] == [("run/CameraRGB/3.png", "run/CameraSeg/3.png")]
    kinds = {problem.kind: problem.paths for problem in dump.problems}
    assert {"run/CameraRGB/5.png", "run/sensor.camera.rgb/5.png"} <= set(kinds["duplicate_id"])
    assert kinds["missing_render"] == ("run/CameraSeg/5.png",)


def test_genuine_lyft_recording(shared_data: Path) -> None:
    root = shared_data / "carla-lyft-nikolasent"
    dump = discover(str(root))
    assert (dump.label_space, dump.label_encoding, dump.label_rule) == (
        "carla-0.9.9",
        "red_channel",
        "sky_touches_top",
    )
    assert [(f.sample_id, f.split) for f in dump.frames] == [
        ("data/train/0", "train"),
        ("data/train/1", "train"),
        ("data/train/2", "train"),
        ("data/val/1", "val"),
    ]
    pixels = cv2.imread(str(root / dump.frames[0].label))
    refined = split_untagged(np.ascontiguousarray(pixels[:, :, 2]))
    picture = cv2.cvtColor(cv2.imread(str(root / dump.frames[0].render)), cv2.COLOR_BGR2RGB).astype(int)
    lawn, sky = picture[refined == 22], picture[refined == 13]
    assert (refined == 22).mean() == pytest.approx(0.0344, abs=0.001)
    assert lawn[:, 1].mean() > 1.5 * lawn[:, 2].mean()  # green
    assert sky[:, 2].mean() > sky[:, 1].mean()  # blue
    channels = build_mapping(load_label_space(dump.label_space), load_label_space("camvid11")).apply(refined)
    assert channels[0, 0] == 0
    assert not (channels == 11).mean() > 0.01


def test_genuine_palette_recording(shared_data: Path) -> None:
    root = shared_data / "carla-nikos134"
    dump = discover(str(root))
    assert (dump.label_space, dump.label_encoding) == ("carla-0.9.9", "palette")
    assert [f.frame_index for f in dump.frames] == list(range(183310, 183316))
    space = load_label_space(dump.label_space)
    for frame in dump.frames:
        rgb = cv2.cvtColor(cv2.imread(str(root / frame.label)), cv2.COLOR_BGR2RGB)
        reading = from_colors(rgb, space)
        assert reading.unknown_colors == {}
        assert reading.label_map[400, 480] == 10  # the bonnet


def test_genuine_loose_pairs(shared_data: Path) -> None:
    dump = discover(str(shared_data / "carla-scapes"))
    assert (dump.label_space, dump.label_encoding, dump.label_rule) == ("carla-0.9.14", "ids", "")
    assert [(f.sample_id, f.frame_index) for f in dump.frames] == [
        ("images/Town10HD/Town10HD_000033_5026200", 33),
        ("images/Town10HD/Town10HD_000063_5026800", 63),
    ]
    assert dump.frames[0].instance == "images/Town10HD_000033_5026200_instance.png"


def test_sensors_in_folders_of_their_blueprints(make_layout: Callable[[str], Path]) -> None:
    root = make_layout("carla")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_space, dump.label_encoding) == ("carla", "carla-0.9.14", "red_channel")
    first = dump.frames[0]
    assert (first.sample_id, first.frame_index) == ("Town01/000100", 100)
    assert first.instance == "Town01/sensor.camera.instance_segmentation/000100.png"
    blue, green, red = cv2.imread(str(root / str(first.depth)))[0, 0].astype(int)
    assert "m = 1000 * (R + 256 * G + 65536 * B) / (2**24 - 1)" in dump.metadata["units"]["depth"]
    assert 1000 * (red + 256 * green + 65536 * blue) / (2**24 - 1) == pytest.approx(12.5, abs=1e-3)
    assert dump.problems == ()


def test_instances_alone_are_labels_too(tmp_path: Path, load_layout: Callable[[str], ModuleType]) -> None:
    load_layout("carla").write(tmp_path, label=False)
    dump = discover(str(tmp_path))
    assert (dump.label_space, dump.label_encoding) == ("carla-0.9.14", "red_channel")
    assert dump.frames[0].label == dump.frames[0].instance
    shares = {row.name: row.share for row in inspect_dump(str(tmp_path)).classes}
    assert shares == {"sky": 0.375, "road": 0.375, "building": 0.25}


def test_several_cameras_are_sequences_of_their_own(tmp_path: Path, load_layout: Callable[[str], ModuleType]) -> None:
    load_layout("carla").write(tmp_path)
    for folder in [path for path in (tmp_path / "Town01").iterdir() if path.is_dir()]:
        shutil.copytree(folder, folder.with_name(f"{folder.name}_left"))
    dump = discover(str(tmp_path))
    assert dump.sequence_ids == ("Town01", "Town01/left")
    assert dump.frames[2].render == "Town01/sensor.camera.rgb_left/000100.png"


def test_colours_that_the_sensor_converted(tmp_path: Path, load_layout: Callable[[str], ModuleType]) -> None:
    load_layout("carla").write(tmp_path)
    colors = {c.id: c.color for c in load_label_space("carla-0.9.14").classes}
    for path in (tmp_path / "Town01" / "sensor.camera.semantic_segmentation").iterdir():
        tags = cv2.imread(str(path))[..., 2]
        rgb = np.array([colors[tag] for tag in tags.ravel().tolist()], np.uint8).reshape(32, 32, 3)
        assert cv2.imwrite(str(path), rgb[..., ::-1])
    dump = discover(str(tmp_path))
    assert dump.label_encoding == "palette"
    assert {row.name for row in inspect_dump(str(tmp_path)).classes} == {"sky", "road", "building"}
