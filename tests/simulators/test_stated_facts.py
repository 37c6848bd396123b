"""Layout, encodings and label space are independent facts: stated, given or detected, in every combination."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.job.resolve_job import resolve_job
from sflow_pipeline.errors import ConfigError, DumpError, FrameError, UsageError
from sflow_pipeline.simulators import Dump, discover
from sflow_pipeline.simulators.layouts.pattern import compile_layout

MakeLayout = Callable[[str], Path]
IDS = np.array([[0, 5, 10, 11]], np.uint8).repeat(8, 0).repeat(2, 1)
ZERO = np.zeros_like(IDS)
COLORS = np.zeros((8, 8, 3), np.uint8)
COLORS[:, :4], COLORS[:, 4:] = (128, 64, 128), (70, 130, 180)  # road and sky of Cityscapes


def write_pair(root: Path, label_rgb: np.ndarray, folders: tuple[str, str] = ("rgb", "semantic")) -> Path:
    for folder, pixels in zip(folders, (np.zeros((8, 8, 3), np.uint8), label_rgb), strict=True):
        (root / folder).mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(root / folder / "0.png"), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    return root


def read_label(dump: Dump) -> np.ndarray:
    frame = dump.frames[0]
    return dump.label_format.read(dump.folder.read_bytes(frame.label), None, frame.label).label_map


@pytest.mark.parametrize(
    ("label", "encoding", "ids"),
    [
        (IDS, "ids", IDS),
        (IDS.astype(np.uint16) * 50, "ids", IDS.astype(np.uint16) * 50),
        (np.dstack([IDS] * 3), "ids", IDS),
        (np.dstack([IDS, ZERO, ZERO]), "red_channel", IDS),
        (COLORS, "palette", np.where(COLORS[..., 0] == 128, 0, 10)),
    ],
)
@pytest.mark.parametrize("folders", [("rgb", "semantic"), ("a", "b")])
def test_label_encodings_are_detected(
    label: np.ndarray, encoding: str, ids: np.ndarray, folders: tuple[str, str], tmp_path: Path
) -> None:
    root = write_pair(tmp_path / "dump", label, folders)
    layout = None if folders[0] == "rgb" else {"render": "a/{frame}.png", "label": "b/{frame}.png"}
    dump = discover(str(root), layout=layout, label_space="cityscapes19")
    assert dump.label_encoding == encoding
    assert np.array_equal(read_label(dump), ids)


def test_a_given_encoding_wins_over_a_stated_and_a_detected_one(tmp_path: Path) -> None:
    root = write_pair(tmp_path / "dump", np.dstack([IDS, ZERO + 1, ZERO]))
    (root / "dataset.yaml").write_text("label_space: cityscapes19\nlabel_encoding: rgb_ids\n")
    assert np.array_equal(read_label(discover(str(root))), IDS.astype(np.uint16) + 256)
    assert np.array_equal(read_label(discover(str(root), label_encoding="red_channel")), IDS)
    with pytest.raises(FrameError, match="3-channel colour"):
        read_label(discover(str(root), label_encoding="ids"))


@pytest.mark.parametrize("name", ["viper", "kitti", "gta", "camvid32", "replicator", "unity_solo"])
def test_every_layout_takes_stated_encodings(name: str, make_layout: MakeLayout) -> None:
    root = make_layout(name)
    (root / "dataset.yaml").write_text(
        "label_encoding: red_channel\ninstance_encoding: class_in_red\nlabel_space: ade20k\n"
    )
    dump = discover(str(root))
    assert (dump.label_format.encoding, dump.label_format.table_format) == ("red_channel", "")
    assert (dump.label_format.instances, dump.label_format.space.name) == ("class_in_red", "ade20k")
    given = discover(str(root), label_encoding="palette", instance_encoding="numbered", label_space="camvid32")
    assert (given.label_encoding, given.instance_encoding, given.label_space) == ("palette", "numbered", "camvid32")


def test_an_encoding_in_place_of_label_tables_needs_a_label_space(make_layout: MakeLayout) -> None:
    with pytest.raises(DumpError, match="replaces the tables") as caught:
        discover(str(make_layout("replicator")), label_encoding="ids")
    assert "--label-space" in caught.value.hint


def test_another_tools_dataset_file_is_not_ours(make_layout: MakeLayout) -> None:
    root = make_layout("kitti")
    (root / "dataset.yaml").write_text("path: .\ntrain: images\nnames: [road]\n")
    assert discover(str(root)).label_space == "cityscapes34"


def test_a_stated_layout(make_layout: MakeLayout, load_layout: Callable[[str], object]) -> None:
    root = make_layout("pattern")
    dump = discover(str(root))
    assert (dump.simulator, dump.label_encoding, dump.label_format.space.name) == ("pattern", "rgb_ids", "mine")
    assert [(f.sample_id, f.split, f.timestamp_s) for f in dump.frames if f.sequence_id.endswith("/left")] == [
        ("north/left/10", "train", 0.5),
        ("north/left/12", "train", 0.6),
        ("north/left/16", "train", 0.8),
        ("south/left/10", "val", 0.5),
        ("south/left/12", "val", 0.6),
        ("south/left/16", "val", 0.8),
    ]
    assert read_label(dump)[0, ::8].tolist() == [0, 7, 300, 301]
    (root / "dataset.yaml").unlink()
    layout = "render=shots/{sequence}/{camera}-{frame}.png, label=truth/{sequence}/{camera}-{frame}_ids.png"
    places = {"sim_dir": str(root), "out_dir": str(root.parent / "out")}
    stated = {"layout": layout, "label_space": str(root / "classes.yaml"), "label_encoding": "rgb_ids"}
    job = build_job({**places, **stated, "device": "cpu", "precision": "fp32"})
    assert len(resolve_job(job).frames) == 12


@pytest.mark.parametrize(
    ("layout", "rule"),
    [
        ({"render": "a/{frame}.png"}, "has no pattern for label"),
        ({"render": "a/b.png", "label": "c/d.png"}, "has placeholders none"),
        ({"label": "c/d.png"}, "has placeholders none"),
        ({"label": "{a}/{frame}.png", "instance": "{frame}.png"}, "label has {a}, {frame}"),
        ({"render": "{sequence}/{frame}.png", "label": "{frame}.png"}, "render has {frame}, {sequence}"),
        ({"render": "{frame}.png", "label": "{frame}.gif", "lidar": "{frame}.bin"}, "no column lidar"),
        ({"render": "{frame}.png", "label": "{Frame}.png"}, "a brace without a name"),
    ],
)
def test_a_wrong_layout_is_a_config_error(layout: dict[str, str], rule: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_layout(layout)
    assert rule in caught.value.message and caught.value.hint
    assert "for label" not in rule or "such as render=images/{sequence}/{frame}.png,label=" in caught.value.hint


def test_a_layout_and_a_simulator_exclude_each_other(make_layout: MakeLayout) -> None:
    layout = {"render": "a/{frame}.png", "label": "b/{frame}.png"}
    with pytest.raises(UsageError, match="takes the place"):
        discover(str(make_layout("kitti")), simulator="kitti", layout=layout)


def test_wrong_names_are_refused_before_any_file_is_read(tmp_path: Path) -> None:
    places = {"sim_dir": str(tmp_path / "none"), "out_dir": str(tmp_path / "out")}
    with pytest.raises(ConfigError, match="label_encoding"):
        build_job({**places, "label_encoding": "colours"})
    with pytest.raises(ConfigError, match="COLUMN=PATTERN"):
        build_job({**places, "layout": "images/{frame}.png"})


@pytest.mark.parametrize(
    ("instance_map", "encoding"),
    [
        (np.where(IDS == 11, np.uint16(11002), IDS), "class_times_1000"),
        (IDS.astype(np.uint16) * 256 + 1, "class_times_256"),
        (np.dstack([IDS, ZERO + 3, ZERO]), "class_in_red"),
        (np.where(IDS == 11, 1, 0).astype(np.uint8), "numbered"),
        (np.dstack([ZERO + 90, ZERO, IDS]), "numbered"),
    ],
)
def test_instance_encodings_are_detected(instance_map: np.ndarray, encoding: str, tmp_path: Path) -> None:
    root = write_pair(tmp_path / "dump", IDS)
    (root / "instance").mkdir()
    pixels = instance_map[..., ::-1] if instance_map.ndim == 3 else instance_map
    assert cv2.imwrite(str(root / "instance" / "0.png"), pixels)
    assert discover(str(root), label_space="cityscapes19").instance_encoding == encoding
    assert discover(str(root), label_space="cityscapes19", instance_encoding="numbered").instance_encoding == "numbered"


def test_airsim_states_the_time_of_every_moment(make_layout: MakeLayout) -> None:
    root = make_layout("airsim")
    dump = discover(str(root), label_space=str(root.parent / "airsim-labels.yaml"))
    times = [frame.timestamp_s for frame in dump.frames if frame.sequence_id == dump.sequence_ids[0]]
    assert times == [1546299.0, 1546299.007]


def test_without_a_rate_nothing_states_the_time(make_layout: MakeLayout) -> None:
    assert {frame.timestamp_s for frame in discover(str(make_layout("kitti"))).frames} == {None}
    video = discover(str(make_layout("shift")))
    assert all(frame.timestamp_s is not None for frame in video.frames) == (video.fps is not None)


def test_the_rule_of_a_label_space_holds_in_any_layout(tmp_path: Path) -> None:
    label = np.full((16, 16), 7, np.uint8)
    label[:8], label[10:12] = 0, 0
    (tmp_path / "ids").mkdir()
    assert cv2.imwrite(str(tmp_path / "ids" / "1.png"), label)
    dump = discover(str(tmp_path), layout={"label": "ids/{frame}.png"}, label_space="carla-0.9.9")
    data = (tmp_path / "ids" / "1.png").read_bytes()
    names = {item.id: item.name for item in dump.label_format.space.classes}
    painted = dump.label_format.read_for_network(data, None, "ids/1.png", (16, 16))
    assert [names[i] for i in painted[[0, 8, 10], 0].tolist()] == ["sky", "road", "terrain"]
    assert dump.label_format.read(data, None, "ids/1.png").label_map[0, 0] == 0
    other = discover(str(tmp_path), layout={"label": "ids/{frame}.png"}, label_space="carla-0.9.13")
    assert other.label_rule == ""


def write_sequences(root: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        write_pair(root / name, IDS)
    return root


@pytest.mark.parametrize("names", [("0000", "0001"), ("10", "010"), ("1_0", "0x1"), ("1e3", "1.50"), ("no", "~")])
def test_splits_are_stated_for_sequences_as_they_are_written(tmp_path: Path, names: tuple[str, str]) -> None:
    root = write_sequences(tmp_path / "dump", names)
    (root / "dataset.yaml").write_text(f"label_space: cityscapes19\nsplit: {{{names[0]}: train, {names[1]}: val}}\n")
    dump = discover(str(root))
    assert {frame.sequence_id: frame.split for frame in dump.frames} == {names[0]: "train", names[1]: "val"}


@pytest.mark.parametrize(
    ("split", "named", "hint"),
    [
        ("{0000: train, 00001: val}", "'00001'", "did you mean 0001?"),
        ("{x: val, y: val}", "'x'", "there are 0000, 0001"),
    ],
)
def test_a_split_of_a_sequence_that_is_not_there_is_refused(tmp_path: Path, split: str, named: str, hint: str) -> None:
    root = write_sequences(tmp_path / "dump", ("0000", "0001"))
    (root / "dataset.yaml").write_text(f"label_space: cityscapes19\nsplit: {split}\n")
    with pytest.raises(ConfigError, match=named) as caught:
        discover(str(root))
    assert str(root / "dataset.yaml") in caught.value.message
    assert hint in caught.value.hint
