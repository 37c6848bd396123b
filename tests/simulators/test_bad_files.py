"""Half, odd and hostile dumps: everything that is left out is named, nothing outside the dump is touched."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sflow_pipeline.errors import DumpError
from sflow_pipeline.simulators import Dump, discover
from sflow_pipeline.simulators.frame_table import FrameTable
from sflow_pipeline.simulators.problems import ProblemLog

MakeTree = Callable[[list[str]], Path]


def pairs(*names: str, sequence: str = "") -> list[str]:
    return [f"{sequence}{folder}/{name}.png" for folder in ("rgb", "semantic") for name in names]


def look(root: Path) -> tuple[Dump, dict[str, tuple[str, ...]]]:
    dump = discover(str(root), label_space="camvid11")
    return dump, {problem.kind: problem.paths for problem in dump.problems}


def test_missing_partners(make_tree: MakeTree) -> None:
    dump, problems = look(make_tree([*pairs("0", "1"), "rgb/2.png", "rgb/4.png", "rgb/5.png", "semantic/3.png"]))
    assert [f.frame_index for f in dump.frames] == [0, 1]
    assert problems == {
        "missing_label": ("rgb/2.png", "rgb/4.png", "rgb/5.png"),
        "missing_render": ("semantic/3.png",),
    }
    assert all(problem.severity == "error" and ";" in problem.message for problem in dump.problems)


def test_a_frame_without_depth_stays_and_is_named(make_tree: MakeTree) -> None:
    dump, problems = look(make_tree([*pairs("0", "1"), "depth/0.png"]))
    assert [f.depth for f in dump.frames] == ["depth/0.png", None]
    assert problems == {"missing_modality": ("rgb/1.png",)}
    assert dump.problems[0].severity == "warning"


def test_the_end_of_a_sequence_needs_no_flow(make_tree: MakeTree) -> None:
    assert look(make_tree([*pairs("0", "1", "2"), "flow/0.npy", "flow/1.npy"]))[1] == {}
    assert look(make_tree(pairs("3", "4")))[1] == {"missing_modality": ("rgb/2.png", "rgb/3.png")}


def test_two_pictures_for_one_frame(make_tree: MakeTree) -> None:
    dump, problems = look(make_tree([*pairs("0", "1"), "rgb/1.jpg"]))
    assert [f.frame_index for f in dump.frames] == [0]
    assert set(problems["duplicate_id"]) == {"rgb/1.png", "rgb/1.jpg"}


def test_two_sequences_of_the_same_id() -> None:
    table = FrameTable(ProblemLog())
    for split, numbers in (("train", "01"), ("val", "12")):
        files = {folder: {n: f"{split}/{folder}/{n}.png" for n in numbers} for folder in ("render", "label")}
        table.add_sequence("town", split, files)
    assert [f.sample_id for f in table.frames()] == ["town/0", "town/2"]
    (problem,) = table.log.problems()
    assert (problem.kind, set(problem.paths)) == ("duplicate_id", {"train/render/1.png", "val/render/1.png"})


def test_gaps_are_named_by_sequence(make_tree: MakeTree) -> None:
    dump, problems = look(make_tree(pairs("00", "02", "04", "08", "10", sequence="town/")))
    assert len(dump.frames) == 5
    assert problems == {"gap": ("town",)}
    assert "after 4" in dump.problems[0].message


def test_an_even_step_is_no_gap(make_tree: MakeTree) -> None:
    assert look(make_tree(pairs("f30", "f60", "f90")))[1] == {}


@pytest.mark.parametrize("name", ["a\nb", "a\\..\\b", "x" * 250, "\x1b[31m", "a\x7f"])
def test_names_that_no_output_could_carry(make_tree: MakeTree, name: str) -> None:
    dump, problems = look(make_tree(pairs("0", name)))
    assert [f.sample_id for f in dump.frames] == ["main/0"]
    assert len(problems["unsafe_name"]) == 2
    assert all(problem.message.isprintable() for problem in dump.problems)
    assert all(path.isprintable() for path in problems["unsafe_name"])


def test_names_that_are_not_utf8(make_tree: MakeTree) -> None:
    root = make_tree(pairs("0"))
    for folder in (b"rgb", b"semantic"):
        Path(os.fsdecode(os.path.join(os.fsencode(root), folder, b"\xff1.png"))).write_bytes(b"x")
    dump, problems = look(root)
    assert [f.sample_id for f in dump.frames] == ["main/0"]
    assert problems["unsafe_name"] == ("rgb/\\xff1.png", "semantic/\\xff1.png")
    dump.problems[0].message.encode("utf-8")


def test_spaces_dots_and_other_scripts_are_fine(make_tree: MakeTree) -> None:
    dump, problems = look(make_tree(pairs("frame 1", "ünï.2", "道路3", sequence="run 0/")))
    assert [f.sample_id for f in dump.frames] == ["run 0/frame 1", "run 0/ünï.2", "run 0/道路3"]
    assert problems == {}


def test_links_that_lead_out_are_not_followed(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree(pairs("0"))
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "other").mkdir()
    for name in pairs("9"):
        (tmp_path / "other" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "other" / name).write_bytes(b"x")
    for name in pairs("1"):
        (root / name).symlink_to(tmp_path / "secret.png")
    (root / "more").symlink_to(tmp_path / "other")
    dump, problems = look(root)
    assert [f.sample_id for f in dump.frames] == ["main/0"]
    assert set(problems["link_outside"]) == {"rgb/1.png", "semantic/1.png", "more"}


def test_a_folder_beside_the_dump_with_its_name_as_prefix_is_outside(make_tree: MakeTree) -> None:
    root = make_tree(pairs("0"))
    (root.parent / "dump2").mkdir()
    (root / "more").symlink_to(root.parent / "dump2")
    assert "link_outside" in look(root)[1]


def test_links_in_a_circle_end(make_tree: MakeTree) -> None:
    root = make_tree(pairs("0", sequence="a/") + pairs("0", sequence="b/"))
    (root / "a" / "up").symlink_to("..")
    (root / "self").symlink_to("self")
    dump, problems = look(root)
    assert [f.sample_id for f in dump.frames] == ["a/0", "b/0"]
    assert set(problems["link_loop"]) == {"a/up", "self"}


def test_folders_that_link_to_each_other_end(make_tree: MakeTree) -> None:
    names = [f"d{i}" for i in range(8)]
    root = make_tree(pairs("0") + [f"{name}/note.txt" for name in names])
    for name in names:
        for other in names:
            (root / name / f"to_{other}").symlink_to(f"../{other}")
    dump, problems = look(root)
    assert [f.sample_id for f in dump.frames] == ["main/0"]
    assert "link_loop" in problems


def test_links_inside_the_dump_are_followed(make_tree: MakeTree) -> None:
    root = make_tree([*pairs("0", sequence="clear/"), "rain/rgb/0.png"])
    (root / "rain" / "semantic").symlink_to("../clear/semantic")
    dump, problems = look(root)
    assert [f.label for f in dump.frames] == ["clear/semantic/0.png", "rain/semantic/0.png"]
    assert problems == {}


def test_broken_links(make_tree: MakeTree) -> None:
    root = make_tree([*pairs("0"), "semantic/1.png"])
    (root / "rgb" / "1.png").symlink_to("gone.png")
    dump, problems = look(root)
    assert len(dump.frames) == 1
    assert problems["broken_link"] == ("rgb/1.png",)


def test_hidden_files_are_passed_over(make_tree: MakeTree) -> None:
    dump, problems = look(make_tree([*pairs("0"), ".cache/rgb/0.png", "rgb/._0.png", "rgb/.DS_Store"]))
    assert (len(dump.frames), problems) == (1, {})


def test_when_nothing_is_left_the_reasons_are_told(make_tree: MakeTree) -> None:
    with pytest.raises(DumpError) as caught:
        discover(str(make_tree(["rgb/0.png", "semantic/1.png"])), label_space="camvid11")
    assert "rgb/0.png" in caught.value.message
    assert "without a label" in caught.value.message


def test_frame_order_does_not_depend_on_the_disk(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_tree(pairs(*map(str, range(12)), sequence="b/") + pairs("0", sequence="a/"))
    expected = look(root)
    listing = os.scandir

    class Reversed:
        def __init__(self, path: str) -> None:
            self.entries = list(listing(path))[::-1]

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", Reversed)
    assert look(root) == expected
