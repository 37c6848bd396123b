"""The plain layout: sequences, modalities, dataset.yaml."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.errors import ConfigError, DumpError, LabelSpaceError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.simulators import discover

MakeTree = Callable[[list[str]], Path]


def test_frames_come_sorted_with_ids_numbers_and_splits(make_tree: MakeTree) -> None:
    root = make_tree(
        [f"a/b/rgb/{i}.png" for i in (10, 2, 1)]
        + [f"a/b/semantic/{i}.png" for i in (1, 2, 10)]
        + ["val/c/rgb/x7.jpg", "val/c/semantic/x7.png"]
    )
    dump = discover(str(root), label_space="camvid11")
    assert [(f.sample_id, f.sequence_id, f.frame_index, f.split) for f in dump.frames] == [
        ("a/b/1", "a/b", 1, "train"),
        ("a/b/2", "a/b", 2, "train"),
        ("a/b/10", "a/b", 10, "train"),
        ("val/c/x7", "val/c", 7, "val"),
    ]
    assert dump.frames[3].render == "val/c/rgb/x7.jpg"
    assert (dump.simulator, dump.label_space, dump.label_encoding) == ("folder", "camvid11", "ids")


def test_every_modality_is_paired(make_tree: MakeTree) -> None:
    suffixes = {"rgb": "jpg", "semantic": "png", "instance": "png", "depth": "npy", "flow": "flo", "occlusion": "png"}
    suffixes |= {"boxes": "json", "camera": "json"}
    root = make_tree([f"{folder}/f0.{suffix}" for folder, suffix in suffixes.items()])
    dump = discover(str(root), label_space="camvid11")
    assert dump.frames == (
        FrameRef(
            "main/f0",
            "main",
            0,
            "train",
            render="rgb/f0.jpg",
            label="semantic/f0.png",
            files={
                "instance": "instance/f0.png",
                "depth": "depth/f0.npy",
                "flow": "flow/f0.flo",
                "occlusion": "occlusion/f0.png",
                "boxes": "boxes/f0.json",
                "camera": "camera/f0.json",
            },
        ),
    )
    assert dump.modalities == ("render", "label", "instance", "depth", "flow", "occlusion", "boxes", "camera")
    assert dump.problems == ()


@pytest.mark.parametrize("other", [("night/rgb/front", "night/semantic/front"), ("b/RGB", "b/Semantic")])
def test_sequences_of_another_shape_are_told(make_tree: MakeTree, other: tuple[str, str]) -> None:
    folders = ("day/rgb", "day/semantic", "day/normals", *other)
    dump = discover(str(make_tree(["preview.png", *(f"{folder}/0.png" for folder in folders)])), label_space="camvid11")
    assert dump.sequence_ids == ("day",)
    (problem,) = dump.problems
    assert (problem.kind, problem.severity, problem.paths) == ("unread_pictures", "warning", other)


def test_dataset_file_states_what_files_cannot(make_tree: MakeTree) -> None:
    root = make_tree(["a/rgb/0.png", "a/semantic/0.png", "b/rgb/0.png", "b/semantic/0.png"])
    (root / "dataset.yaml").write_text(
        "label_space: cityscapes19\nfps: 10\nlabel_encoding: palette\nunits: {depth: m}\nsplit: {b: val}\n"
        "camera: {fov_deg: 90, mounted: 2026-01-02}\n"
    )
    dump = discover(str(root))
    assert (dump.label_space, dump.fps, dump.label_encoding) == ("cityscapes19", 10.0, "palette")
    assert dump.metadata == {"units": {"depth": "m"}, "camera": {"fov_deg": 90, "mounted": "2026-01-02"}}
    assert {f.sequence_id: f.split for f in dump.frames} == {"a": "train", "b": "val"}
    assert discover(str(root), label_space="camvid11").label_space == "camvid11"


def test_a_label_space_of_the_dumps_own(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree(["rgb/0.png", "semantic/0.png"])
    (root / "dataset.yaml").write_text("label_space: my.yaml")
    (root / "my.yaml").write_text(
        "{name: mine, version: 1, void: null, classes: [{id: 1, name: a, concepts: [sky], color: [1, 2, 3]}]}"
    )
    assert discover(str(root)).label_space == str(root / "my.yaml")
    (root / "my.yaml").rename(tmp_path / "my.yaml")
    with pytest.raises(LabelSpaceError, match="cannot be read"):
        discover(str(root))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("label_spaec: camvid11", "unknown key 'label_spaec'"),
        ("fps: fast", "fps 'fast' must be a number above 0"),
        ("fps: 0", "must be a number above 0"),
        ("label_encoding: colours", "must be one of ids, red_channel, rgb_ids, palette"),
        ("label_space: ../labels.yaml", "leaves the dump"),
        ("label_space: /etc/labels.yaml", "leaves the dump"),
        ("split: ../../train", "must be a plain name"),
        ("split: {a: 'x/y'}", "must be a plain name"),
        ("- a\n- b", "must be a mapping"),
        ("a: [", "cannot be read"),
        ("!!python/name:os.system", "cannot be read"),
    ],
)
def test_a_wrong_dataset_file_is_a_config_error(make_tree: MakeTree, text: str, rule: str) -> None:
    root = make_tree(["rgb/0.png", "semantic/0.png"])
    (root / "dataset.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        discover(str(root), label_space="camvid11")
    assert rule in caught.value.message
    assert str(root / "dataset.yaml") in caught.value.message
    assert caught.value.hint


def test_nobody_guesses_what_ids_mean(make_tree: MakeTree) -> None:
    with pytest.raises(DumpError) as caught:
        discover(str(make_tree(["rgb/0.png", "semantic/0.png"])))
    assert "--label-space" in caught.value.hint
    assert "dataset.yaml" in caught.value.hint


@pytest.mark.parametrize("layout", [None, {"render": "rgb/{frame}.png", "label": "semantic/{frame}.png"}])
def test_label_spaces_that_explain_the_labels_are_named(tmp_path: Path, layout: dict[str, str] | None) -> None:
    label = np.full((60, 90), 3, np.uint8)
    label[:24], label[40:], label[30:40, :20] = 11, 1, 28  # sky, road and a bus of CARLA 0.9.14
    for folder, pixels in (("rgb", np.zeros((60, 90, 3), np.uint8)), ("semantic", label)):
        (tmp_path / folder).mkdir()
        assert cv2.imwrite(str(tmp_path / folder / "0.png"), pixels)
    with pytest.raises(DumpError) as caught:
        discover(str(tmp_path), layout=layout)
    assert "those that explain the labels: carla-0.9.14 (100.0% of the pixels, sky and road 100%)" in caught.value.hint


def test_genuine_panda3d_frames(shared_data: Path) -> None:
    dump = discover(str(shared_data / "sim-panda3d"), label_space="camvid11")
    assert [f.frame_index for f in dump.frames] == list(range(8))
    assert dump.problems == ()
