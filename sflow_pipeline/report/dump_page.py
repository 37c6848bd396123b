"""The page of ``inspect --html``: contents and label mapping of a simulator dump, with pictures."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.report.page_parts import build_page, build_table, embed_picture

_BAR_PX = 240


def build_dump_page(found: Mapping[str, Any], pictures: Sequence[tuple[str, NDArray[np.uint8]]]) -> str:
    """One self-contained HTML page.

    Args:
        found: an inspection as ``to_dict`` gives it.
        pictures: (caption, (h, w, 3) uint8 RGB) of some frames.
    """
    frames = "".join(
        f'<figure><img alt="{escape(caption)}" src="{embed_picture(picture)}"><figcaption>{escape(caption)}'
        "</figcaption></figure>"
        for caption, picture in pictures
    )
    title = f"{found['simulator']} dump, {found['frames']} frames"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{escape(str(found["root"]))}: {escape(str(found["why"]))}</p>',
        _describe_problems(found),
        '<div class="cols">',
        f"<div><h2>What it is</h2>{build_table(('', ''), _facts(found))}</div>",
        f"<div><h2>Classes</h2>{_draw_classes(found)}</div>",
        "</div>",
        f'<h2>Frames</h2><div class="frames">{frames}</div>' if frames else "",
    ]
    return build_page(title, parts)


def _facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("simulator", f"{found['simulator']} {found['version']}".strip()),
        ("sequences", f"{found['sequences']:,}"),
        ("frames", f"{found['frames']:,} ({', '.join(f'{name} {n:,}' for name, n in found['splits'].items())})"),
        ("opened", f"{found['sampled_frames']:,}"),
        ("modalities", ", ".join(found["modalities"])),
        ("sizes", ", ".join(f"{size} px ({count})" for size, count in found["sizes"].items())),
        ("rate", "unknown" if found["fps"] is None else f"{found['fps']:g} frames/s"),
        ("labels", f"{found['label_space']}, as {found['label_encoding']}"),
        ("to read", f"{found['source_bytes'] / 1e6:,.0f} MB, about"),
        ("to write", f"{found['estimate']['bytes'] / 1e6:,.0f} MB, about; {found['estimate']['how']}"),
    ]


def _draw_classes(found: Mapping[str, Any]) -> str:
    targets = {row["source_id"]: row for row in found["mapping"]}
    largest = max((row["share"] for row in found["classes"]), default=1.0)
    rows = []
    for row in found["classes"]:
        target = targets[row["id"]]
        width = max(1, round(_BAR_PX * row["share"] / largest))
        bar = f'<span class="bar" style="width:{width}px;background:rgb{tuple(row["color"])}"></span>'
        lost = ' class="warn"' if target["is_lost"] else ""
        rows.append(
            f'<tr><td class="n">{row["id"]}</td><td>{escape(row["name"])}</td><td class="n">{row["share"]:.2%}</td>'
            f"<td>{bar}</td><td{lost}>{escape(target['target_name'])}{' (lost)' if lost else ''}</td></tr>"
        )
    head = f"<tr><th>id</th><th>class</th><th>pixels</th><th></th><th>in {escape(found['model_label_space'])}</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _describe_problems(found: Mapping[str, Any]) -> str:
    lines = [(problem["severity"], problem["message"]) for problem in found["problems"]]
    for item in found["unmapped_ids"]:
        what = f"id {item['id']}" if item["id"] is not None else f"colour {tuple(item['color'])}"
        text = f"{what} on {item['share']:.2%} of the pixels is not in label space {found['label_space']}"
        lines.append(("error", text))
    return "".join(f'<p class="warn">{escape(severity)}: {escape(text)}</p>' for severity, text in lines)
