"""Real photos with labels go through the same contract: CamVid and Cityscapes."""

from collections.abc import Callable
from pathlib import Path

from sflow_pipeline.simulators import discover

MakeTree = Callable[[list[str]], Path]


def test_camvid_recordings_are_sequences(make_tree: MakeTree) -> None:
    frames = {"train": ["0006R0_f00930", "0006R0_f00960", "0001TP_006690"], "val": ["0016E5_07961", "0016E5_07959"]}
    root = make_tree(
        [f"{folder}/{name}.png" for split in frames for folder in (split, f"{split}annot") for name in frames[split]]
    )
    dump = discover(str(root))
    assert [(f.sample_id, f.frame_index, f.split) for f in dump.frames] == [
        ("0001TP/0001TP_006690", 6690, "train"),
        ("0006R0/0006R0_f00930", 930, "train"),
        ("0006R0/0006R0_f00960", 960, "train"),
        ("0016E5/0016E5_07959", 7959, "val"),
        ("0016E5/0016E5_07961", 7961, "val"),
    ]
    assert (dump.label_space, dump.label_encoding, dump.fps) == ("camvid11", "ids", None)
    (root / "train").rename(root / "elsewhere")
    assert len(discover(str(root), simulator="camvid").frames) == 2


def test_genuine_camvid(shared_data: Path) -> None:
    dump = discover(str(shared_data / "camvid"))
    val = [f for f in dump.frames if f.split == "val"]
    assert (len(dump.frames), len(val)) == (418, 51)
    assert {f.sequence_id for f in val} == {"0016E5"}
    assert [f.frame_index for f in val] == list(range(7959, 8060, 2))
    assert dump.frames[0].render.endswith(".jpg")
    assert all(problem.severity == "warning" for problem in dump.problems)


def test_cityscapes_as_published(make_tree: MakeTree) -> None:
    stems = ["train/aachen/aachen_000000_000019", "val/lindau/lindau_000001_000019"]
    root = make_tree(
        [f"leftImg8bit/{stem}_leftImg8bit.png" for stem in stems]
        + [f"gtFine/{stem}_gtFine_{kind}.png" for stem in stems for kind in ("labelIds", "instanceIds", "color")]
    )
    dump = discover(str(root))
    assert [(f.sample_id, f.frame_index, f.split) for f in dump.frames] == [
        ("aachen_000000/aachen_000000_000019", 19, "train"),
        ("lindau_000001/lindau_000001_000019", 19, "val"),
    ]
    assert dump.frames[0].instance == "gtFine/train/aachen/aachen_000000_000019_gtFine_instanceIds.png"
    assert (dump.label_space, dump.fps, dump.problems) == ("cityscapes34", 17.0, ())


def test_cityscapes_with_nothing_but_train_ids(make_tree: MakeTree) -> None:
    stems = [f"train/aachen/aachen_000000_0000{frame}" for frame in (19, 20)]
    files = [f"leftImg8bit/{stem}_leftImg8bit.png" for stem in stems]
    root = make_tree(files + [f"gtFine/{stem}_gtFine_labelTrainIds.png" for stem in stems])
    dump = discover(str(root))
    assert (dump.label_space, len(dump.frames), dump.problems) == ("cityscapes19", 2, ())
    make_tree([f"gtFine/{stem}_gtFine_labelIds.png" for stem in stems])
    both = discover(str(root))
    assert (both.label_space, both.frames[0].label) == (
        "cityscapes34",
        "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png",
    )


def test_the_same_photo_twice_is_left_out(make_tree: MakeTree) -> None:
    stem = "aachen_000000_000019"
    files = [f"leftImg8bit/train/a/{stem}_leftImg8bit.png", f"gtFine/train/a/{stem}_gtFine_labelIds.png"]
    other = "bonn_000000_000019"
    files += [f"leftImg8bit/train/b/{other}_leftImg8bit.png", f"gtFine/train/b/{other}_gtFine_labelIds.png"]
    dump = discover(str(make_tree([*files, f"leftImg8bit/train/copy/{stem}_leftImg8bit.png"])))
    assert [f.sequence_id for f in dump.frames] == ["bonn_000000"]
    assert dump.problems[0].kind == "duplicate_id"
    assert len(dump.problems[0].paths) == 2


def test_genuine_cityscapes_in_pix2pixhd_layout(shared_data: Path) -> None:
    dump = discover(str(shared_data / "cityscapes-sample"))
    assert [f.sample_id for f in dump.frames] == [f"aachen_00000{i}/aachen_00000{i}_000019" for i in range(4)]
    assert dump.modalities == ("render", "label", "instance")
    assert dump.problems == ()
