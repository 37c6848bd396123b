"""Order and numbers of frames follow from their names as a person reads them, in every layout."""

import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from sflow_pipeline.errors import DumpError
from sflow_pipeline.simulators import discover

MakeTree = Callable[[Iterable[str]], Path]
NANOSECONDS = [str(1_700_000_000_000_000_000 + i * 99_999_999) for i in range(6)]

#: names in the order in which they were recorded, and their frame numbers.
NAMES = {
    "a number before a constant one": ([f"{i}_cam0" for i in range(1, 13)], list(range(1, 13))),
    "a gap before a constant number": (["s2_8_mp4", "s2_9_mp4", "s2_11_mp4"], [8, 9, 11]),
    "a number after others that are constant": (["s10_f9", "s10_f10"], [9, 10]),
    "numbers that ascend together": (["001_98", "002_99", "004_101"], [98, 99, 101]),
    "words that differ": (["sunny_1", "cloudy_2", "night_10"], [1, 2, 10]),
    "times of day": (["2024-05-01_10-00-59", "2024-05-01_10-01-00", "2024-05-01_10-01-01"], [0, 1, 2]),
    "seconds with decimals": (["12.90", "13.05", "13.20"], [0, 1, 2]),
    "times without their last zeros": (["0.05", "0.1", "0.15", "0.2", "1.0"], [0, 1, 2, 3, 4]),
    "whole seconds among times": (
        ["cam2_0.125_l", "cam2_0.5_l", "cam2_0.75_l", "cam2_1_l", "cam2_1.25_l"],
        [*range(5)],
    ),
    "two numbers with a point between": (["1.9", "1.10", "1.11", "1.12"], [9, 10, 11, 12]),
    "a count beside a measurement": (["1_30", "2_29", "10_28"], [0, 1, 2]),
    "takes": (["t1_f1", "t1_f2", "t2_f1", "t10_f1"], [0, 1, 2, 3]),
    "some without a number": (["start", "t1", "t2", "t10"], [0, 1, 2, 3]),
    "nanoseconds": (NANOSECONDS, list(range(6))),
    "nanoseconds of two lengths": (["t999999999999999999999", "t1000000000000000000000"], [0, 1]),
}


@pytest.mark.parametrize("layout", [None, {"render": "rgb/{frame}.png", "label": "semantic/{frame}.png"}])
@pytest.mark.parametrize("case", NAMES)
def test_frames_are_in_the_order_of_recording(make_tree: MakeTree, case: str, layout: dict[str, str] | None) -> None:
    names, numbers = NAMES[case]
    written = random.Random(5).sample(names, len(names))
    root = make_tree(f"{folder}/{name}.png" for folder in ("rgb", "semantic") for name in written)
    dump = discover(str(root), layout=layout, label_space="camvid11", label_encoding="ids")
    assert [(frame.frame_index, frame.sample_id) for frame in dump.frames] == [
        (number, f"main/{name}") for number, name in zip(numbers, names, strict=True)
    ]


@pytest.mark.parametrize(("picture", "label"), [("rgb/{}.png", "semantic/{}.png"), ("images/{}.png", "labels/{}.png")])
def test_a_folder_main_is_not_taken_for_the_frames_at_the_top(make_tree: MakeTree, picture: str, label: str) -> None:
    here = [pattern.format(number) for pattern in (picture, label) for number in ("00001", "00002")]
    there = [f"main/{pattern}".format(number) for pattern in (picture, label) for number in ("10001", "10002")]
    simulator = "folder" if "rgb" in picture else "gta"
    root = make_tree(here + there)
    with pytest.raises(DumpError, match="are of the sequence main") as caught:
        discover(str(root), simulator=simulator, label_space="camvid11", label_encoding="ids")
    assert "rename the folder main" in caught.value.hint
    shutil.rmtree(root)
    dump = discover(str(make_tree(there)), simulator=simulator, label_space="camvid11", label_encoding="ids")
    assert [frame.sequence_id for frame in dump.frames] == ["main", "main"]
