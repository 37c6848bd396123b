"""Label tables of Replicator's BasicWriter: ``semantic_segmentation_labels_*.json``."""

import re
from typing import Any

from sflow_pipeline.label_spaces import LabelTable
from sflow_pipeline.label_spaces.catalog import MAX_ID
from sflow_pipeline.label_spaces.derived_space import join_names
from sflow_pipeline.simulators.label_tables.json_table import bad_table, is_color, parse_json_table

_COLOR = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)")

_BACKGROUND = "BACKGROUND"


def read_basic_writer_table(data: bytes, path: str) -> LabelTable:
    """Read ``semantic_segmentation_labels_*.json``: colour or number -> class.

    Raises:
        FrameError: ``unreadable``.

    >>> read_basic_writer_table(b'{"(9, 8, 7, 255)": {"class": "box,cargo"}}', "labels.json").colors
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


def read_instance_table(data: bytes, path: str) -> LabelTable:
    """Read ``instance_segmentation_semantics_mapping_*.json``: as above; what is no object is background.

    Raises:
        FrameError: ``unreadable``.
    """
    table = read_basic_writer_table(data, path)
    black = {(0, 0, 0, alpha): _BACKGROUND for alpha in (0, 255)}
    return LabelTable(colors={**black, **table.colors}, ids={0: _BACKGROUND, **table.ids})


def _class_name(value: Any) -> str | None:
    """``{"class": "car"}``, ``{"prop": "car"}`` and plain ``"car"`` were all written by some version.

    Copies of an asset bring their numbers along, and parts the names of what they are parts of.

    >>> _class_name({"class": "Apple,Apple.001"}), _class_name("box,cargo")
    ('Apple', 'box,cargo')
    """
    if isinstance(value, dict):
        value = value.get("class", next(iter(value.values()), None))
    if not isinstance(value, str):
        return None
    return join_names(value.split(",")) or None
