"""Unity Perception's SOLO: ``sequence.<n>/step<m>.frame_data.json`` names every file and every label colour."""

import re
from typing import Any

from sflow_pipeline.errors import FrameError
from sflow_pipeline.label_spaces import LabelTable
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.dump_files import read_bytes
from sflow_pipeline.simulators.folder_walk import DumpFolder, walk
from sflow_pipeline.simulators.frame_table import FrameTable, split_of
from sflow_pipeline.simulators.named_classes import bad_table, choose_label_space, is_color, parse_json_table
from sflow_pipeline.simulators.path_patterns import quick_look
from sflow_pipeline.simulators.problems import ProblemLog

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
_UNLABELED = "unlabeled"
_UNITS = {
    "boxes": "px, and m in camera space for 3-D, in the frame's JSON",
    "camera": "position in m, rotation as quaternion x y z w, in the frame's JSON",
    "depth": "m along the optical axis",
}


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    for folder in quick_look(root):
        if _SEQUENCE.fullmatch(folder.path.rpartition("/")[2]):
            for file in folder.files:
                if _FRAME_DATA.fullmatch(file):
                    return folder.join(file)
    return None


def discover(root: str, label_space: str | None) -> Dump:
    """See ``Adapter.discover``. A sequence is a SOLO sequence, of one camera where there are several.

    Raises:
        DumpError: ``label_space`` lacks a class that the dump names.
    """
    log = ProblemLog()
    table = FrameTable(log)
    tables: list[LabelTable] = []
    for folder in walk(root, log):
        if _SEQUENCE.fullmatch(folder.path.rpartition("/")[2]):
            _add_sequence(root, folder, table, tables, log)
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=choose_label_space(root, NAME, tables, label_space, log),
        label_encoding="table",
        frames=table.frames(),
        problems=log.problems(),
        why="frame_data.json in folders named sequence.<n>",
        metadata={"units": _UNITS},
    )


def read_label_table(data: bytes, path: str) -> LabelTable:
    """Read the label colours of a frame; black is what carries no label.

    Raises:
        FrameError: ``unreadable``.
    """
    colors = {(0, 0, 0, alpha): _UNLABELED for alpha in (0, 255)}
    for capture in _captures(parse_json_table(data, path), path):
        for annotation in _annotations(capture, "SemanticSegmentationAnnotation"):
            for entry in annotation.get("instances", ()):
                try:
                    red, green, blue, alpha = rgba = [int(value) for value in entry["pixelValue"]]
                    if not is_color(rgba):
                        raise ValueError("no colour")
                    colors[red, green, blue, alpha] = str(entry["labelName"])
                except (TypeError, KeyError, ValueError) as error:
                    raise bad_table(path, f"{entry!r}") from error
    return LabelTable(colors=colors)


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
            data = read_bytes(root, path)
            captures = _captures(parse_json_table(data, path), path)
            tables.append(read_label_table(data, path))
        except (OSError, FrameError):
            log.add("missing_table", path)
            continue
        for capture in captures:
            camera = str(capture.get("id", "camera"))
            files = cameras.setdefault(camera, {"render": {}, "label": {}})
            name = f"step{match['step']}.{camera}"
            named = {"render": capture.get("filename")}
            for kind, modality in _ANNOTATIONS.items():
                for annotation in _annotations(capture, kind):
                    named[modality] = annotation.get("filename")
            for modality, picture in named.items():
                if picture in present:
                    files.setdefault(modality, {})[name] = folder.join(str(picture))
            for modality in ("label_table", "boxes", "camera"):
                files.setdefault(modality, {})[name] = path
            numbers[name] = int(match["step"])
    for camera, files in sorted(cameras.items()):
        sequence_id = folder.path if len(cameras) == 1 else f"{folder.path}/{camera}"
        table.add_sequence(sequence_id, split_of(folder.path), files, numbers)


def _captures(content: Any, path: str) -> list[dict[str, Any]]:
    captures = content.get("captures") if isinstance(content, dict) else None
    if not isinstance(captures, list) or not all(isinstance(capture, dict) for capture in captures):
        raise bad_table(path, "no list of captures")
    return captures


def _annotations(capture: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    listed = capture.get("annotations")
    return [
        annotation
        for annotation in (listed if isinstance(listed, list) else [])
        if isinstance(annotation, dict) and str(annotation.get("@type", "")).endswith(f".{kind}")
    ]
