"""Mapillary Vistas: ``images`` beside ``v1.2/labels`` (or ``labels``); real photos."""

import re

from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.path_patterns import HEAD, discover_by_paths, find_layout
from sflow_pipeline.simulators.published_colors import has_published_colors
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "mapillary"
LAYOUT = "<split>/images/<photo>.jpg beside <split>/v1.2/labels/<photo>.png (real photos)"

_PHOTO = r"(?P<frame>[^/]+)"
_NOT_2_0 = r"(?!(?:.+/)?v2\.0/)"  # other classes, in the same download
_PATTERNS = {
    "render": re.compile(rf"{HEAD}images/{_PHOTO}\.jpg"),
    "label": re.compile(rf"{_NOT_2_0}{HEAD}(?:v1\.2/)?labels/{_PHOTO}\.png"),
    "instance": re.compile(rf"{_NOT_2_0}{HEAD}(?:v1\.2/)?instances/{_PHOTO}\.png"),
}


def matches(root: str) -> str | None:
    """See ``Adapter.matches``; its version folder or its colours tell it from other dumps with such folders."""
    patterns = {"render": _PATTERNS["instance"], "label": _PATTERNS["label"]}
    found = find_layout(root, patterns) and find_layout(root, _PATTERNS)
    is_own = found and ("v1.2/" in found or has_published_colors(root, _PATTERNS["label"], NAME))
    return found if is_own else None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. Photos are single shots: one sequence per split, without a rate."""
    return discover_by_paths(
        root,
        _PATTERNS,
        simulator=NAME,
        version="1.2",
        label_space=stated.label_space or "mapillary",
        label_encoding="ids",
        instance_encoding="numbered",
        why="images beside labels and instances",
        units={"instance": "256 * class id + instance, 16 bits"},
    )
