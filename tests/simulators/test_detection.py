"""Which adapter a folder gets, and what a person reads when none or two fit."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pyarrow.fs as pafs
import pytest

from sflow_pipeline.errors import DumpError, LabelSpaceError, UsageError
from sflow_pipeline.simulators import SIMULATORS, detect, discover

LAYOUTS = {
    "folder": ["town01/rgb/0.png", "town01/semantic/0.png"],
    "carla": ["train/CameraRGB/0.png", "train/CameraSeg/0.png"],
    "camvid": ["CamVid/val/0016E5_07959.png", "CamVid/valannot/0016E5_07959.png"],
    "cityscapes": [
        "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png",
        "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png",
    ],
}


#: Layouts that a generator writes: its name, the simulator's.
GENERATED = {path.stem: path.stem.replace("_", "-") for path in (Path(__file__).parent / "layouts").glob("*.py")}


def test_every_simulator_has_a_layout_here() -> None:
    assert {*LAYOUTS, *GENERATED.values()} == set(SIMULATORS)


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_a_generated_layout_is_recognised(name: str, make_layout: Callable[[str], Path]) -> None:
    assert detect(str(make_layout(name))) is SIMULATORS[GENERATED[name]]


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_layout_is_recognised(name: str, make_tree: Callable[[list[str]], Path]) -> None:
    assert detect(str(make_tree(LAYOUTS[name]))) is SIMULATORS[name]


def test_two_that_match_are_named_with_their_reasons(make_tree: Callable[[list[str]], Path]) -> None:
    root = make_tree(LAYOUTS["folder"] + LAYOUTS["carla"])
    with pytest.raises(DumpError) as caught:
        detect(str(root))
    assert "town01 holds rgb and semantic" in caught.value.message
    assert "train holds CameraRGB and CameraSeg" in caught.value.message
    assert caught.value.hint == "choose with --simulator folder or --simulator carla"
    assert detect(str(root), simulator="carla") is SIMULATORS["carla"]


def test_an_unknown_layout_lists_the_known_ones(make_tree: Callable[[list[str]], Path]) -> None:
    with pytest.raises(DumpError) as caught:
        detect(str(make_tree(["pictures/a.png"])))
    assert all(name in caught.value.message for name in SIMULATORS)
    assert "--simulator" in caught.value.hint


@pytest.mark.parametrize("content", [[], ["rgb/", "semantic/"]])
def test_an_empty_dump_is_an_error(content: list[str], tmp_path: Path) -> None:
    root = tmp_path / "dump"
    root.mkdir()
    for name in content:
        (root / name).mkdir()
    with pytest.raises(DumpError, match="empty"):
        discover(str(root), label_space="camvid11")


def test_a_missing_folder_and_a_file_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DumpError, match="does not exist"):
        discover(str(tmp_path / "nowhere"))
    with pytest.raises(DumpError, match="not a folder"):
        discover(str(tmp_path / "file"))


def test_a_mistyped_simulator_brings_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        discover(str(tmp_path), simulator="calra")
    assert caught.value.hint == "did you mean carla?"
    assert caught.value.exit_code == 2


def test_a_label_space_that_does_not_exist_is_an_error_before_any_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(LabelSpaceError, match="carla-1"):
        discover(str(tmp_path / "nowhere"), label_space="carla-1")


def test_object_stores_are_read_like_folders(
    make_tree: Callable[[list[str]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["a/rgb/0.png", "a/rgb/1.png", "a/semantic/0.png", "a/semantic/1.png", "a/rgb/2.png", "a/rgb/bad\nname.png"]
    root = make_tree(names)
    (root / "dataset.yaml").write_text("label_space: camvid11")

    def from_uri(uri: str) -> tuple[pafs.FileSystem, str]:
        assert uri.startswith("s3://bucket/")
        return pafs.SubTreeFileSystem(str(root.parent), pafs.LocalFileSystem()), uri.removeprefix("s3://bucket/")

    monkeypatch.setattr(pafs, "FileSystem", SimpleNamespace(from_uri=from_uri))
    remote, local = discover("s3://bucket/dump"), discover(str(root))
    assert remote.frames == local.frames
    assert remote.problems == local.problems
    assert len(remote.frames) == 2
    with pytest.raises(DumpError, match="does not exist"):
        discover("s3://bucket/nowhere")


def test_an_address_of_no_object_store_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="ftp://host/dump"):
        discover("ftp://host/dump")
