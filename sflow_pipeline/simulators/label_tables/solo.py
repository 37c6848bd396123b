"""Label tables of Unity Perception's SOLO: label colours in ``step<m>.frame_data.json``."""

from typing import Any

from sflow_pipeline.label_spaces import LabelTable
from sflow_pipeline.simulators.label_tables.json_table import bad_table, is_color, parse_json_table

_UNLABELED = "unlabeled"


def read_solo_table(data: bytes, path: str) -> LabelTable:
    """Read the label colours of a frame, of its instances where it has no semantic labels; black carries no label.

    Raises:
        FrameError: ``unreadable``.
    """
    colors = {(0, 0, 0, alpha): _UNLABELED for alpha in (0, 255)}
    for capture in list_captures(parse_json_table(data, path), path):
        semantic = list_annotations(capture, "SemanticSegmentationAnnotation")
        key = "pixelValue" if semantic else "color"
        for annotation in semantic or list_annotations(capture, "InstanceSegmentationAnnotation"):
            entries = annotation.get("instances", [])
            if not isinstance(entries, list):
                raise bad_table(path, f"instances {entries!r}")
            for entry in entries:
                try:
                    red, green, blue, alpha = rgba = [int(value) for value in entry[key]]
                    if not is_color(rgba):
                        raise ValueError("no colour")
                    name = str(entry["labelName"])
                except (TypeError, KeyError, ValueError, OverflowError) as error:
                    raise bad_table(path, f"{entry!r}") from error
                before = colors.setdefault((red, green, blue, alpha), name)
                if before not in (name, _UNLABELED):
                    raise bad_table(path, f"{rgba} is the colour of two classes, {before} and {name}")
                colors[red, green, blue, alpha] = name
    return LabelTable(colors=colors)


def list_captures(content: Any, path: str) -> list[dict[str, Any]]:
    """The captures (cameras) of a frame's JSON.

    Raises:
        FrameError: ``unreadable``.
    """
    captures = content.get("captures") if isinstance(content, dict) else None
    if not isinstance(captures, list) or not all(isinstance(capture, dict) for capture in captures):
        raise bad_table(path, "no list of captures")
    return captures


def list_annotations(capture: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The annotations of one kind, such as ``SemanticSegmentationAnnotation``."""
    listed = capture.get("annotations")
    return [
        annotation
        for annotation in (listed if isinstance(listed, list) else [])
        if isinstance(annotation, dict) and str(annotation.get("@type", "")).endswith(f".{kind}")
    ]
