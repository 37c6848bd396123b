"""Playing for Data (GTA V): ``images/00001.png`` beside ``labels/00001.png``, indexed with Cityscapes' ids."""

import re

from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.label_header import find_storage
from sflow_pipeline.simulators.path_patterns import HEAD, PatternFinder, find_layout
from sflow_pipeline.simulators.published_colors import has_published_colors
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "gta"
LAYOUT = "images/00001.png beside labels/00001.png (Playing for Data)"

_PATTERNS = {
    "render": re.compile(HEAD + r"images/(?P<frame>\d{5,18})\.(?:png|jpg)"),
    "label": re.compile(HEAD + r"labels/(?P<frame>\d{5,18})\.png"),
}


def matches(root: str) -> str | None:
    """See ``Adapter.matches``. Many dumps have such names; the colours of the published labels tell them apart."""
    found = find_layout(root, _PATTERNS)
    return found if found and has_published_colors(root, _PATTERNS["label"], "gta") else None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. Frames are in recording order, without a known rate.

    The published labels are indexed: readers that keep indices see ids, readers that expand them see colours. Copies
    saved as colours are read by colour, grey copies by id; those are recognised by ``--simulator gta`` alone.
    """
    finder = PatternFinder(root, _PATTERNS)
    frames = finder.frames()
    storage = find_storage(root, [frame.label for frame in frames], finder.log)
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=stated.label_space or "gta",
        label_encoding="palette" if storage == "colour" else "ids",
        frames=frames,
        problems=finder.log.problems(),
        why=f"five-digit names in images and labels, labels stored as {storage}",
    )
