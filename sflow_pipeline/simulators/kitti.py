"""KITTI's semantic benchmark: ``training/image_2`` beside ``training/semantic``; real photos."""

import re
from typing import Any

from numpy.typing import NDArray

from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.path_patterns import HEAD, PatternFinder, find_layout

NAME = "kitti"
LAYOUT = "training/image_2/000000_10.png beside training/semantic/000000_10.png (real photos)"

_PATTERNS = {
    "render": re.compile(HEAD + r"image_2/(?P<frame>(?P<number>\d{6})_\d{2})\.png"),
    "label": re.compile(HEAD + r"semantic/(?P<frame>(?P<number>\d{6})_\d{2})\.png"),
    "instance": re.compile(HEAD + r"instance/(?P<frame>(?P<number>\d{6})_\d{2})\.png"),
}


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    return find_layout(root, _PATTERNS)


def discover(root: str, label_space: str | None) -> Dump:
    """See ``Adapter.discover``. Photos are single shots of many drives: one sequence without a rate."""
    finder = PatternFinder(root, _PATTERNS)
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=label_space or "cityscapes34",
        label_encoding="ids",
        frames=finder.frames(),
        problems=finder.log.problems(),
        why="image_2 beside semantic",
        metadata={"units": {"instance": "256 * class id + instance, 16 bits"}},
    )


def refine_label_map(label_map: NDArray[Any]) -> NDArray[Any]:
    """See ``Adapter.refine_label_map``; there is nothing to refine."""
    return label_map
