"""Omniverse Replicator and Isaac Sim: what BasicWriter writes, label colours listed anew for every frame."""

import re

from sflow_pipeline.errors import FrameError
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.dump_files import open_folder
from sflow_pipeline.simulators.label_tables.basic_writer import read_basic_writer_table, read_instance_table
from sflow_pipeline.simulators.named_classes import choose_label_space
from sflow_pipeline.simulators.path_patterns import HEAD, PatternFinder, find_layout
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "replicator"
LAYOUT = (
    "rgb_0000.png, semantic_segmentation_0000.png, semantic_segmentation_labels_0000.json (BasicWriter), or "
    "instance_segmentation_0000.png, instance_segmentation_semantics_mapping_0000.json"
)


def _pattern(annotator: str, suffix: str, folder: str = "") -> re.Pattern[str]:
    """Files side by side or, with several cameras, in a folder per camera and annotator; names may count sequences."""
    return re.compile(rf"{HEAD}(?:{folder or annotator}/)?{annotator}_(?:(?P<sequence>\d+)_)?(?P<frame>\d+)\.{suffix}")


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
#: Without semantic labels, instances and the classes of their colours say the same.
_INSTANCES_ALONE = {
    **_PATTERNS,
    "label": _PATTERNS["instance"],
    "label_table": _pattern("instance_segmentation_semantics_mapping", "json", "instance_segmentation"),
}
_UNITS = {
    "depth": "stage units (m by default) along the optical axis, infinite where there is nothing",
    "flow": "motion vectors as the renderer gives them, in the first two channels",
    "boxes": "class names of the box ids in boxes_file",
    "boxes_file": "NumPy records: semanticId, x_min, y_min, x_max, y_max in px, occlusionRatio",
}


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    return find_layout(root, _PATTERNS) or find_layout(root, _INSTANCES_ALONE)


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is the output folder of one camera.

    Raises:
        DumpError: the stated label space lacks a class that the dump names.
    """
    has_labels = find_layout(root, _PATTERNS) or not find_layout(root, _INSTANCES_ALONE)
    finder = PatternFinder(root, _PATTERNS if has_labels else _INSTANCES_ALONE)
    frames = []
    tables = []
    read_table = read_basic_writer_table if has_labels else read_instance_table
    has_tables = stated.label_encoding is None
    for frame in finder.frames() if has_tables else ():
        try:
            if frame.label_table is None:
                raise FileNotFoundError(frame.label)
            tables.append(read_table(open_folder(root).read_bytes(frame.label_table), frame.label_table))
        except (OSError, FrameError):
            finder.log.add("missing_table", frame.label)
            continue
        frames.append(frame)
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=choose_label_space(root, NAME, tables, stated.label_space, finder.log),
        label_encoding="table",
        label_table_format="replicator" if has_labels else "replicator-instances",
        instance_encoding="numbered",
        frames=frames if has_tables else finder.frames(),
        problems=finder.log.problems(),
        why="files of BasicWriter: rgb_, semantic_segmentation_ and semantic_segmentation_labels_"
        if has_labels
        else "files of BasicWriter: rgb_, instance_segmentation_ and instance_segmentation_semantics_mapping_",
        metadata={"units": _UNITS},
    )
