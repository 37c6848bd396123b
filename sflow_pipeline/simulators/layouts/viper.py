"""VIPER (Playing for Benchmarks): ``<split>/{img,cls,inst,flow}/<sequence>/<sequence>_<frame>``."""

import re

from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.path_patterns import HEAD, discover_by_paths, find_layout
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "viper"
LAYOUT = "<split>/{img,cls,inst,flow}/<sequence>/<sequence>_<frame>.png"


def _pattern(kind: str, suffixes: str) -> re.Pattern[str]:
    frame = r"(?P<sequence>\d{3})/(?P<frame>(?P=sequence)_(?P<number>\d+))"
    return re.compile(rf"{HEAD}{kind}/{frame}\.(?:{suffixes})")


_PATTERNS = {
    "render": _pattern("img", "png|jpg"),
    "label": _pattern("cls", "png"),
    "instance": _pattern("inst", "png"),
    "flow": _pattern("flow", "npz|flo|png"),
    "depth": _pattern("depth", "npz|npy|png|exr"),
}
_UNITS = {"instance": "class in the red channel, instance in the others", "flow": "px to the next frame"}


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    return find_layout(root, _PATTERNS)


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is one drive."""
    return discover_by_paths(
        root,
        _PATTERNS,
        simulator=NAME,
        label_space=stated.label_space or "viper",
        label_encoding="ids",
        instance_encoding="class_in_red",
        why="img and cls with files named <sequence>_<frame>",
        units=_UNITS,
    )
