"""ADE20K for scene parsing: ``images/<split>`` beside ``annotations/<split>``, 150 classes; real photos."""

import re

from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.frame_table import ROOT_SEQUENCE, split_of
from sflow_pipeline.simulators.path_patterns import FrameIdentity, discover_by_paths, find_layout
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "ade20k"
LAYOUT = "images/training/ADE_train_00000001.jpg beside annotations/training/ADE_train_00000001.png (real photos)"

_FILE = r"(?P<split>\w+)/(?P<frame>ADE_\w+_(?P<number>\d{8}))"
_PATTERNS = {
    "render": re.compile(rf"(?:.+/)?images/{_FILE}\.jpg"),
    "label": re.compile(rf"(?:.+/)?annotations/{_FILE}\.png"),
}


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    return find_layout(root, _PATTERNS)


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. Photos are single shots: one sequence, without a rate."""
    return discover_by_paths(
        root,
        _PATTERNS,
        identify=_identify,
        simulator=NAME,
        label_space=stated.label_space or "ade20k",
        label_encoding="ids",
        why="files named ADE_<split>_<number> in images and annotations",
    )


def _identify(match: re.Match[str]) -> FrameIdentity:
    return FrameIdentity(ROOT_SEQUENCE, match["frame"], split_of(match["split"]), int(match["number"]))
