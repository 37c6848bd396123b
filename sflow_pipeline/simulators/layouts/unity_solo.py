"""Unity Perception's SOLO: ``sequence.<n>/step<m>.frame_data.json`` names every file and every label colour."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sflow_pipeline.errors import FrameError
from sflow_pipeline.label_spaces import LabelTable
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.dump_files import open_folder
from sflow_pipeline.simulators.folder_walk import DumpFolder, broken_name_rule, walk
from sflow_pipeline.simulators.frame_table import FrameTable, split_of
from sflow_pipeline.simulators.label_tables.json_table import parse_json_table
from sflow_pipeline.simulators.label_tables.solo import list_annotations, list_captures, read_solo_table
from sflow_pipeline.simulators.named_classes import choose_label_space
from sflow_pipeline.simulators.path_patterns import quick_look
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "unity-solo"
LAYOUT = "sequence.<n>/step<m>.frame_data.json beside the pictures it names (Unity Perception)"

_FRAME_DATA = re.compile(r"step(?P<step>\d{1,18})\.frame_data\.json")
_SEQUENCE = re.compile(r"sequence\.\d+")
#: Kind of annotation -> modality of the file that it names.
_ANNOTATIONS = {
    "SemanticSegmentationAnnotation": "label",
    "InstanceSegmentationAnnotation": "instance",
    "DepthAnnotation": "depth",
}
_UNITS = {
    "boxes": "px, and m in camera space for 3-D, in the frame's JSON",
    "camera": "position in m, rotation as quaternion x y z w, in the frame's JSON",
    "depth": "m along the optical axis",
    "label": "colours of classes; of instances, whose classes the frame's JSON names, where the dump has nothing else",
}


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    for folder in quick_look(root):
        if _SEQUENCE.fullmatch(folder.path.rpartition("/")[2]):
            for file in folder.files:
                if _FRAME_DATA.fullmatch(file):
                    return folder.join(file)
    return None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is a SOLO sequence, of one camera where there are several.

    Raises:
        DumpError: the stated label space lacks a class that the dump names.
    """
    log = ProblemLog()
    table = FrameTable(log)
    tables: list[LabelTable] = []
    for folder in walk(root, log):
        if _SEQUENCE.fullmatch(folder.path.rpartition("/")[2]):
            _add_sequence(root, folder, table, tables, log)
    if stated.label_encoding is not None:
        tables = []
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=choose_label_space(root, NAME, tables, stated.label_space, log),
        label_encoding="table",
        label_table_format="unity-solo",
        instance_encoding="numbered",
        frames=table.frames(),
        problems=log.problems(),
        why="frame_data.json in folders named sequence.<n>",
        metadata={"units": _UNITS},
    )


def _add_sequence(root: str, folder: DumpFolder, table: FrameTable, tables: list[LabelTable], log: ProblemLog) -> None:
    present = frozenset(folder.files)
    cameras: dict[str, dict[str, dict[str, str]]] = {}
    numbers: dict[str, int] = {}
    for file in folder.files:
        match = _FRAME_DATA.fullmatch(file)
        if match is None:
            continue
        path = folder.join(file)
        try:
            data = open_folder(root).read_bytes(path)
            captures = list_captures(parse_json_table(data, path), path)
            tables.append(read_solo_table(data, path))
        except (OSError, FrameError):
            log.add("missing_table", path)
            continue
        named_alike = Counter(map(_name_camera, captures))
        for capture in captures:
            camera = _name_camera(capture)
            is_twice = named_alike[camera] > 1
            if is_twice or broken_name_rule(camera) or camera.startswith("."):
                shown = str(capture.get("filename"))
                place = folder.join(shown) if shown in present else path
                log.add("duplicate_id" if is_twice else "unsafe_name", place, f"capture id {camera!r}")
                continue
            files = cameras.setdefault(camera, {"render": {}, "label": {}})
            name = f"step{match['step']}.{camera}"
            named = {"render": capture.get("filename")}
            for kind, modality in _ANNOTATIONS.items():
                for annotation in list_annotations(capture, kind):
                    named[modality] = annotation.get("filename")
            named.setdefault("label", named.get("instance"))
            for modality, picture in named.items():
                if isinstance(picture, str) and picture in present:
                    files.setdefault(modality, {})[name] = folder.join(picture)
            for modality in ("label_table", "boxes", "camera"):
                files.setdefault(modality, {})[name] = path
            numbers[name] = int(match["step"])
    for camera, files in sorted(cameras.items()):
        sequence_id = folder.path if len(cameras) == 1 else f"{folder.path}/{camera}"
        table.add_sequence(sequence_id, split_of(folder.path), files, numbers)


def _name_camera(capture: Mapping[str, Any]) -> str:
    """A capture's id, which becomes a folder's name."""
    return str(capture.get("id") or "camera").replace("/", "_")
