"""KITTI's semantic benchmark: ``training/image_2`` beside ``training/semantic``; real photos."""

import re

from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.path_patterns import HEAD, discover_by_paths, find_layout
from sflow_pipeline.simulators.stated_facts import StatedFacts

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


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. Photos are single shots of many drives: one sequence without a rate."""
    return discover_by_paths(
        root,
        _PATTERNS,
        simulator=NAME,
        label_space=stated.label_space or "cityscapes34",
        label_encoding="ids",
        instance_encoding="class_times_256",
        why="image_2 beside semantic",
        units={"instance": "256 * class id + instance, 16 bits"},
    )
