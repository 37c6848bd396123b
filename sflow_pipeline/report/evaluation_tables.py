"""Results of ``evaluate`` as tables of a report, read from the JSON files that it left in the dataset."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from sflow_pipeline.report.page_parts import build_table, clip
from sflow_pipeline.storage.filesystem import Folder

_PLACES = ("report", "evaluation")
_LARGEST_BYTES = 4_000_000
_MOST_ROWS = 50


def draw_evaluations(folder: Folder) -> str:
    """The table of each result file as the terminal showed it, with its remarks and the classes; empty without any."""
    parts = [_draw(path, found) for path, found in _find_results(folder)]
    return f"<section><h2>Evaluation</h2>{''.join(parts)}</section>" if parts else ""


def _find_results(folder: Folder) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, content) of each JSON file that has rows of scores."""
    paths = sorted(path for place in _PLACES for path in folder.list_files(place) if path.endswith(".json"))
    for path, facts in zip(paths, folder.stat(paths), strict=True):
        if facts.size_bytes > _LARGEST_BYTES:
            continue
        try:
            content = json.loads(folder.read_bytes(path))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(content, dict) and isinstance(content.get("rows"), list) and "protocol" in content:
            yield path, content


def _draw(path: str, content: dict[str, Any]) -> str:
    table, remarks = _mapping(content.get("table")), content.get("remarks")
    title = f"<h3><code>{escape(clip(path))}</code></h3>"
    if not isinstance(table.get("head"), list) or not isinstance(table.get("lines"), list):
        return f"{title}<p>Written by another version: evaluate again to see its scores here.</p>"
    head = [clip(name) for name in table["head"]]
    lines = [[clip(cell) for cell in line] for line in table["lines"][:_MOST_ROWS] if isinstance(line, list)]
    rows = [row for row in content["rows"] if isinstance(row, dict)][:_MOST_ROWS]
    items = "".join(f"<li>{escape(clip(text, 800))}</li>" for text in (remarks if isinstance(remarks, list) else []))
    return f'{title}<div class="scroll">{build_table(head, lines)}</div><ul>{items}</ul>{_draw_classes(rows)}'


def _draw_classes(rows: list[dict[str, Any]]) -> str:
    found = [(row, {str(item.get("name")): item for item in _items(row.get("classes"))}) for row in rows]
    names = list(dict.fromkeys(name for _row, classes in found for name in classes))
    if not names:
        return ""
    table = build_table(
        ("class", *(clip(row.get("name")) for row, _classes in found)),
        ((clip(name), *(_round(classes.get(name, {}).get("iou")) for _row, classes in found)) for name in names),
    )
    return f'<details><summary>Intersection over union per class</summary><div class="scroll">{table}</div></details>'


def _round(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "-"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
