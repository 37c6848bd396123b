"""Results of ``downstream`` as a section of a report, read from the JSON and the plot that it left in the dataset."""

import base64
import json
from collections.abc import Mapping
from html import escape
from typing import Any

from sflow_pipeline.report.page_parts import build_table, clip
from sflow_pipeline.storage.filesystem import Folder

#: Results and plot of each task, below the dataset, and the heading of their section.
STEMS = {
    "report/downstream": "Training on these frames",
    "report/downstream-detection": "Training a detector on these frames",
}
_LARGEST_BYTES = 4_000_000
_LARGEST_PLOT_BYTES = 500_000
_MOST_ARMS = 50
_PROTOCOL = ("network", "width", "steps", "batch_size", "crop_px", "frame_width_px", "lr", "seeds", "test_width_px")


def draw_downstream(folder: Folder) -> str:
    """For each task a table of arms and tests with the plot, the classes and the protocol; empty without results."""
    return "".join(_draw_task(folder, stem, heading) for stem, heading in STEMS.items())


def _draw_task(folder: Folder, stem: str, heading: str) -> str:
    data = _read(folder, f"{stem}.json", _LARGEST_BYTES)
    try:
        content = json.loads(data) if data else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("arms"), list):
        return ""
    arms = [arm for arm in content["arms"] if isinstance(arm, dict)][:_MOST_ARMS]
    tests = list(dict.fromkeys(test for arm in arms for test in _mapping(arm.get("tests"))))
    measure, title = _name_first(content.get("measures"), ("miou", "mIoU"))
    class_title = _name_first(content.get("class_measure"), ("iou", "IoU"))[1]
    note = (
        f"{title} on real photos. ± is the standard deviation over seeds; the gap is from "
        f"{clip(content.get('baseline'))} (0 %) to {clip(content.get('goal'))} (100 %)."
    )
    return (
        f"<section><h2>{heading}</h2><p>One network, trained on each set of pictures and tested on real photos: "
        f'{escape(note)}</p><div class="scroll">{_draw_scores(arms, tests, measure)}</div>'
        f"{_draw_plot(folder, stem, title)}{''.join(_draw_classes(arms, test, class_title) for test in tests)}"
        f"{_draw_protocol(_mapping(content.get('protocol')))}</section>"
    )


def _name_first(titles: Any, otherwise: tuple[str, str]) -> tuple[str, str]:
    """Name and title of the first measure."""
    return next(((name, clip(title)) for name, title in _mapping(titles).items()), otherwise)


def _draw_scores(arms: list[dict[str, Any]], tests: list[str], measure: str) -> str:
    head = ["trained on", "pictures", *(clip(text) for test in tests for text in (test, f"gap, {test}"))]
    rows = []
    for arm in arms:
        cells: list[Any] = [clip(arm.get("name")), arm.get("pictures")]
        for test in tests:
            result = _mapping(_mapping(arm.get("tests")).get(test))
            cells += [_format(result.get(measure)), _percent(result.get("share_of_gap"))]
        rows.append(cells)
    return build_table(head, rows)


def _draw_plot(folder: Folder, stem: str, title: str) -> str:
    # As an image: scripts in it do not run, whoever wrote the file.
    data = _read(folder, f"{stem}.svg", _LARGEST_PLOT_BYTES)
    if not data:
        return ""
    encoded = base64.b64encode(data).decode()
    return f'<img class="plot" alt="{escape(title)} of every arm" src="data:image/svg+xml;base64,{encoded}">'


def _draw_classes(arms: list[dict[str, Any]], test: str, class_title: str) -> str:
    found = [(arm, _mapping(_mapping(_mapping(arm.get("tests")).get(test)).get("classes"))) for arm in arms]
    names = list(dict.fromkeys(name for _arm, classes in found for name in classes))
    table = build_table(
        ("class", *(clip(arm.get("name")) for arm, _classes in found)),
        ((clip(name), *(_format(classes.get(name)) for _arm, classes in found)) for name in names),
    )
    title = f"{class_title} per class, {clip(test)}"
    return f'<details><summary>{escape(title)}</summary><div class="scroll">{table}</div></details>'


def _draw_protocol(protocol: Mapping[str, Any]) -> str:
    lines = [(name, clip(str(protocol[name]))) for name in _PROTOCOL if name in protocol]
    return f"<details><summary>Budget</summary>{build_table(('', ''), lines)}</details>"


def _read(folder: Folder, path: str, largest_bytes: int) -> bytes:
    """The file's content; empty where it is missing or too large."""
    try:
        return folder.read_bytes(path) if folder.stat([path])[0].size_bytes <= largest_bytes else b""
    except OSError:
        return b""


def _format(score: Any) -> str:
    found = _mapping(score)
    mean, spread = found.get("mean"), found.get("spread")
    text = f"{mean:.3f}" if isinstance(mean, int | float) else "-"
    return text + (f" ± {spread:.3f}" if isinstance(spread, int | float) else "")


def _percent(share: Any) -> str:
    return f"{share:.0%}" if isinstance(share, int | float) else "-"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
