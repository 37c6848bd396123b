"""VIPER (Playing for Benchmarks): ``<split>/{img,cls,inst,flow}/<sequence>/<sequence>_<frame>``."""

import re
from typing import Any

from numpy.typing import NDArray

from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.path_patterns import HEAD, PatternFinder, find_layout

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


def discover(root: str, label_space: str | None) -> Dump:
    """See ``Adapter.discover``. A sequence is one drive."""
    finder = PatternFinder(root, _PATTERNS)
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=label_space or "viper",
        label_encoding="ids",
        frames=finder.frames(),
        problems=finder.log.problems(),
        why="img and cls with files named <sequence>_<frame>",
        metadata={"units": _UNITS},
    )


def refine_label_map(label_map: NDArray[Any]) -> NDArray[Any]:
    """See ``Adapter.refine_label_map``; there is nothing to refine."""
    return label_map
