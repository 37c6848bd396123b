"""CamVid as its makers publish it: photos, and labels in 32 colours whose names end in ``_L``."""

import re

from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.frame_table import split_of
from sflow_pipeline.simulators.path_patterns import FrameIdentity, discover_by_paths, find_layout
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "camvid32"
LAYOUT = "701_StillsRaw_full/<frame>.png beside LabeledApproved_full/<frame>_L.png (real photos)"

_FRAME = r"(?:(?P<folder>.+)/)?(?P<frame>(?P<recording>\d{4}\w{2}|Seq05VD)_f?(?P<number>\d{5,6}))"
_PATTERNS = {
    "render": re.compile(_FRAME + r"\.(?:png|jpg)"),
    "label": re.compile(_FRAME + r"_L\.png"),
}


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    return find_layout(root, _PATTERNS)


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is a recording, the part of a file's name before ``_``."""
    return discover_by_paths(
        root,
        _PATTERNS,
        identify=_identify,
        simulator=NAME,
        label_space=stated.label_space or "camvid32",
        label_encoding="palette",
        why="labels named as their photos with _L",
    )


def _identify(match: re.Match[str]) -> FrameIdentity:
    split = split_of((match["folder"] or "").replace("_", "/"))
    return FrameIdentity(match["recording"], match["frame"], split, int(match["number"]))
