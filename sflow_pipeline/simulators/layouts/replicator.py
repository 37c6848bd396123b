"""Omniverse Replicator and Isaac Sim: what BasicWriter writes, label colours listed anew for every frame."""

import re
from typing import Any

from sflow_pipeline.errors import FrameError
from sflow_pipeline.label_spaces import LabelTable
from sflow_pipeline.label_spaces.catalog import MAX_ID
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.dump_files import read_bytes
from sflow_pipeline.simulators.named_classes import bad_table, choose_label_space, is_color, parse_json_table
from sflow_pipeline.simulators.path_patterns import HEAD, PatternFinder, find_layout

NAME = "replicator"
LAYOUT = "rgb_0000.png, semantic_segmentation_0000.png, semantic_segmentation_labels_0000.json (BasicWriter)"


def _pattern(annotator: str, suffix: str, folder: str = "") -> re.Pattern[str]:
    """BasicWriter puts files side by side, or, with several cameras, in a folder per camera and annotator."""
    return re.compile(rf"{HEAD}(?:{folder or annotator}/)?{annotator}_(?P<frame>\d+)\.{suffix}")


_PATTERNS = {
    "render": _pattern("rgb", "(?:png|jpg|jpeg)"),
    "label": _pattern("semantic_segmentation", "png"),
    "label_table": _pattern("semantic_segmentation_labels", "json", "semantic_segmentation"),
    "instance": _pattern("instance_segmentation", "png"),
    "depth": _pattern("distance_to_image_plane", "(?:npy|exr)"),
    "flow": _pattern("motion_vectors", "npy"),
    "boxes": _pattern("bounding_box_2d_tight_labels", "json", "bounding_box_2d_tight"),
    "boxes_file": _pattern("bounding_box_2d_tight", "npy"),
    "camera": _pattern("camera_params", "json"),
}
_UNITS = {
    "depth": "stage units (m by default) along the optical axis, infinite where there is nothing",
    "flow": "motion vectors as the renderer gives them, in the first two channels",
    "boxes": "class names of the box ids in boxes_file",
    "boxes_file": "NumPy records: semanticId, x_min, y_min, x_max, y_max in px, occlusionRatio",
}
_COLOR = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)")


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    return find_layout(root, _PATTERNS)


def discover(root: str, label_space: str | None) -> Dump:
    """See ``Adapter.discover``. A sequence is the output folder of one camera.

    Raises:
        DumpError: ``label_space`` lacks a class that the dump names.
    """
    finder = PatternFinder(root, _PATTERNS)
    frames = []
    tables = []
    for frame in finder.frames():
        try:
            if frame.label_table is None:
                raise FileNotFoundError(frame.label)
            tables.append(read_label_table(read_bytes(root, frame.label_table), frame.label_table))
        except (OSError, FrameError):
            finder.log.add("missing_table", frame.label)
            continue
        frames.append(frame)
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=choose_label_space(root, NAME, tables, label_space, finder.log),
        label_encoding="table",
        frames=frames,
        problems=finder.log.problems(),
        why="files of BasicWriter: rgb_, semantic_segmentation_ and semantic_segmentation_labels_",
        metadata={"units": _UNITS},
    )


def read_label_table(data: bytes, path: str) -> LabelTable:
    """Read ``semantic_segmentation_labels_*.json``: colour or number -> class.

    Raises:
        FrameError: ``unreadable``.

    >>> read_label_table(b'{"(9, 8, 7, 255)": {"class": "box,cargo"}}', "labels.json").colors
    {(9, 8, 7, 255): 'box,cargo'}
    """
    content = parse_json_table(data, path)
    if not isinstance(content, dict):
        raise bad_table(path, "a mapping of colours to classes was expected")
    colors, ids = {}, {}
    for key, value in content.items():
        name = _class_name(value)
        color = _COLOR.fullmatch(key)
        if color is not None and name is not None:
            red, green, blue, alpha = rgba = tuple(map(int, color.groups()))
            if not is_color(rgba):
                raise bad_table(path, f"{key!r} is no colour")
            colors[red, green, blue, alpha] = name
        elif key.isascii() and key.isdigit() and len(key) <= 5 and int(key) <= MAX_ID and name is not None:
            ids[int(key)] = name
        else:
            raise bad_table(path, f"{key!r}: {value!r}")
    return LabelTable(colors=colors, ids=ids)


def _class_name(value: Any) -> str | None:
    """``{"class": "car"}``, ``{"prop": "car"}`` and plain ``"car"`` were all written by some version."""
    if isinstance(value, dict):
        value = value.get("class", next(iter(value.values()), None))
    return value if isinstance(value, str) and value else None
