"""SYNTHIA: ``RGB`` beside ``GT/LABELS`` (16-bit, class in red), in random and in video sets; older sets in colours."""

import re

import numpy as np

from sflow_pipeline.errors import DumpError
from sflow_pipeline.frames import FrameList, with_column
from sflow_pipeline.label_spaces import LabelEncoding, from_colors, load_label_space
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.frame_table import ROOT_SEQUENCE, split_of
from sflow_pipeline.simulators.label_header import find_storage
from sflow_pipeline.simulators.label_sample import detect_label_encoding, read_label_sample
from sflow_pipeline.simulators.path_patterns import HEAD, FrameIdentity, PatternFinder, find_layout
from sflow_pipeline.simulators.published_colors import has_published_colors
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "synthia"
LAYOUT = "RGB beside GT/LABELS, GT or SemSeg, video sets with <camera>/<view> folders below each"

_REST = r"(?P<side>Left|Right)?/(?:(?P<view>Stereo_\w+/Omni_\w)/)?(?P<frame>[^/]+)\.png"
_PATTERNS = {
    "render": re.compile(rf"{HEAD}RGB{_REST}"),
    "label": re.compile(rf"{HEAD}(?:GT(?:/LABELS)?|SemSeg){_REST}"),
    "depth": re.compile(rf"{HEAD}Depth(?:/Depth)?{_REST}"),
    "camera": re.compile(rf"{HEAD}CameraParams{_REST.replace('png', 'txt')}"),
}
_UNITS = {
    "depth": "cm, 16 bits",
    "label": "class in the red channel, instance in the green one (16-bit files)",
    "instance": "the label file: class in the red channel, number of the object in the green one",
    "camera": "extrinsic matrix, column by column, in m",
}
#: Folders that no other set has.
_OWN_FOLDERS = re.compile(r"GT/LABELS/|GT(?:Left|Right)/|Omni_")
_VIDEO_FPS = 5.0
#: SYNTHIA-AL, the set for active learning.
_AL_FOLDER, _AL_FPS = "SemSeg/", 25.0
_LEAST_COLORS = 0.9


def matches(root: str) -> str | None:
    """See ``Adapter.matches``; other dumps have RGB beside GT or SemSeg, too: there, the colours of the sets count."""
    found = find_layout(root, _PATTERNS)
    if found is None or _OWN_FOLDERS.search(found):
        return found
    is_own = any(has_published_colors(root, _PATTERNS["label"], space) for space in ("synthia-seqs", "synthia22"))
    return found if is_own else None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is one view of a video; a random set is one sequence without a rate."""
    finder = PatternFinder(root, _PATTERNS, _identify)
    frames = finder.frames()
    labels = [frame.label for frame in frames]
    storage = find_storage(root, labels, finder.log)
    if any(_AL_FOLDER in path for path in labels):
        return _discover_al(root, stated, finder, frames)
    is_video = any("Omni_" in path for path in labels)
    holds_ids = any("/LABELS/" in f"/{path}" for path in labels)
    encoding: LabelEncoding = (
        "red_channel" if holds_ids and "grey" not in storage else "ids" if holds_ids else "palette"
    )
    if holds_ids and storage == "colour":
        finder.log.add("lost_16_bits", labels[0])
    has_objects = holds_ids and storage == "16-bit colour" and stated.label_encoding in (None, "red_channel")
    if has_objects and any(label.ndim == 3 and label[..., 1].any() for label in read_label_sample(root, labels)):
        frames = with_column(frames, "instance", labels)
    label_space = stated.label_space
    if label_space is None:
        is_old = not holds_ids and not any("GTLeft/" in path or "GTRight/" in path for path in labels)
        label_space = "synthia-seqs" if is_video or is_old else "synthia22"
    return Dump(
        root=root,
        simulator=NAME,
        version="video sequences" if is_video else "random frames",
        label_space=label_space,
        label_encoding=encoding,
        instance_encoding="class_in_red",
        frames=frames,
        fps=_VIDEO_FPS if is_video else None,
        problems=finder.log.problems(),
        why=f"RGB beside {'GT/LABELS' if holds_ids else 'GT'}, labels stored as {storage}",
        metadata={"units": _UNITS},
    )


def _discover_al(root: str, stated: StatedFacts, finder: PatternFinder, frames: FrameList) -> Dump:
    """SYNTHIA-AL: a sequence is a recording; labels are drawn in the colours of the video sets.

    Raises:
        DumpError: labels hold ids, and no label space is stated: no table of them is published with the set.
    """
    sample = read_label_sample(root, [frame.label for frame in frames])
    space = load_label_space("synthia-seqs")
    colored = [label for label in sample if label.ndim == 3 and label.dtype == np.uint8]
    known = [np.isin(from_colors(label, space).label_map, list(space.ids())).mean() for label in colored]
    is_colored = bool(known) and float(np.mean(known)) > _LEAST_COLORS
    if not is_colored and stated.label_space is None and sample:
        raise DumpError(
            f"dump {root}: labels in SemSeg are not in SYNTHIA's colours, and what their ids mean is not published",
            hint="name the label space of the ids with --label-space: a YAML file with your classes",
        )
    return Dump(
        root=root,
        simulator=NAME,
        version="active learning",
        label_space=stated.label_space or "synthia-seqs",
        label_encoding="palette" if is_colored else detect_label_encoding(sample),
        frames=frames,
        fps=_AL_FPS,
        problems=finder.log.problems(),
        why=f"RGB beside SemSeg, labels in {'colours' if is_colored else 'ids'}",
    )


def _identify(match: re.Match[str]) -> FrameIdentity:
    parts = [part for part in (match["head"], match["view"], match["side"]) if part]
    number = int(match["frame"]) if re.fullmatch(r"[0-9]{1,18}", match["frame"]) else None
    return FrameIdentity("/".join(parts) or ROOT_SEQUENCE, match["frame"], split_of(match["head"] or ""), number)
