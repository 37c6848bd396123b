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
_PROTOCOL = ("judge", "extractor", "reference", "reference_split", "interval")


def draw_evaluations(folder: Folder) -> str:
    """A table per result file, with the classes and the protocol below; empty where there is none."""
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
    rows = [row for row in content["rows"] if isinstance(row, dict)][:_MOST_ROWS]
    names = list(dict.fromkeys(name for row in rows for name in _mapping(row.get("scores"))))
    table = build_table(
        ("pictures", "images", *(clip(name) for name in names)),
        (
            (clip(row.get("name")), row.get("n"), *(_format(_mapping(row.get("scores")).get(name)) for name in names))
            for row in rows
        ),
    )
    protocol = _mapping(content.get("protocol"))
    lines = [(name, clip(_describe(protocol[name]))) for name in _PROTOCOL if protocol.get(name)]
    notes = "".join(f"<p>{escape(note)}</p>" for row in rows for note in _list_notes(row))
    return (
        f'<h3><code>{escape(clip(path))}</code></h3><div class="scroll">{table}</div>{notes}'
        f"{_draw_classes(rows)}<details><summary>Protocol</summary>{build_table(('', ''), lines)}</details>"
    )


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


def _list_notes(row: dict[str, Any]) -> list[str]:
    """Why scores have no value."""
    scores = _mapping(row.get("scores")).items()
    missing = ((name, _mapping(score)) for name, score in scores if _mapping(score).get("value") is None)
    return [clip(f"{row.get('name')}: {name}: {score['note']}", 400) for name, score in missing if score.get("note")]


def _format(score: Any) -> str:
    found = _mapping(score)
    text = _round(found.get("value"))
    interval = found.get("interval")
    if isinstance(interval, list) and len(interval) == 2:
        text += f" [{_round(interval[0])}, {_round(interval[1])}]"
    return text + (f" ± {_round(found['spread'])}" if found.get("spread") is not None else "")


def _round(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "-"


def _describe(value: Any) -> str:
    return ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
