"""The page of ``inspect --html``: contents and label mapping of a simulator dump, with pictures."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.addresses import name_folder
from sflow_pipeline.report.frame_pictures import embed_photo
from sflow_pipeline.report.page_parts import build_page, build_table

_BAR_PX = 240
_JPEG_QUALITY = 88


def build_dump_page(inspection: Mapping[str, Any], pictures: Sequence[tuple[str, NDArray[np.uint8]]]) -> str:
    """One self-contained HTML page.

    Args:
        inspection: an inspection as ``to_dict`` gives it, with the report of a comparison under ``against`` if any.
        pictures: (caption, (h, w, 3) uint8 RGB) of some frames.
    """
    frames = "".join(
        f'<figure><img alt="{escape(caption)}" src="{embed_photo(picture, _JPEG_QUALITY)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, picture in pictures
    )
    title = f"{name_folder(str(inspection['root']), 'Dump')}, {inspection['frames']:,} frames"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{escape(str(inspection["root"]))}: {escape(str(inspection["why"]))}</p>',
        _describe_problems(inspection),
        '<div class="cols">',
        f"<div><h2>What it is</h2>{build_table(('', ''), _facts(inspection))}</div>",
        f"<div><h2>Classes</h2>{_draw_classes(inspection)}</div>",
        "</div>",
        _draw_gap(inspection["against"]) if "against" in inspection else "",
        f'<h2>Frames</h2><div class="frames">{frames}</div>' if frames else "",
    ]
    return build_page(title, parts)


def _draw_gap(gap: Mapping[str, Any]) -> str:
    """Measurements beside real photos, the advice, and the classes of both."""
    advice = gap["advice"]
    start = (
        f"Start with --appearance {advice['appearance']}: {advice['why_appearance']}. "
        f"For training: {advice['for_training']}."
    )
    risks = "".join(f"<li>{escape(text)}</li>" for text in advice["risks"]) or "<li>no class stands out</li>"
    names = ("class", "pixels of frames", "of photos", "recognised in frames", "in photos")
    classes = build_table(
        names,
        (
            (
                item["name"],
                f"{item['frames_share']:.2%}",
                f"{item['photos_share']:.2%}",
                *("-" if item[key] is None else f"{item[key]:.0%}" for key in ("frames_recall", "photos_recall")),
            )
            for item in gap["classes"]
        ),
    )
    return (
        f"<h2>Against real photos</h2><p>{escape(advice['outlook'])}.</p><p>{escape(start)}</p>"
        f'<h3>At risk</h3><ul>{risks}</ul><div class="cols"><div>{build_table(("", ""), gap["facts"])}</div>'
        f'<div class="scroll">{classes}</div></div>'
    )


def _facts(inspection: Mapping[str, Any]) -> list[tuple[str, str]]:
    rule = f", rule {inspection['label_rule']}" if inspection["label_rule"] else ""
    seconds = inspection["estimate"]["seconds"]
    return [
        ("layout", f"{inspection['simulator']} {inspection['version']}".strip()),
        ("sequences", f"{inspection['sequences']:,}"),
        (
            "frames",
            f"{inspection['frames']:,} ({', '.join(f'{name} {n:,}' for name, n in inspection['splits'].items())})",
        ),
        ("opened", f"{inspection['sampled_frames']:,} of {inspection['frames']:,} frames"),
        ("modalities", ", ".join(inspection["modalities"])),
        ("sizes", ", ".join(f"{size} px ({count})" for size, count in inspection["sizes"].items())),
        ("rate", "unknown" if inspection["fps"] is None else f"{inspection['fps']:g} frames/s"),
        ("labels", f"{inspection['label_space']}, as {inspection['label_encoding']}{rule}"),
        *((("instances", f"as {inspection['instance_encoding']}"),) if inspection["instance_encoding"] else ()),
        ("to read", f"{inspection['source_bytes'] / 1e6:,.0f} MB, about"),
        ("to write", f"{inspection['estimate']['bytes'] / 1e6:,.0f} MB, about; {inspection['estimate']['how']}"),
        ("to convert", "not measured; --estimate does" if seconds is None else f"about {seconds / 60:,.1f} minutes"),
    ]


def _draw_classes(inspection: Mapping[str, Any]) -> str:
    """Every class of the label space, those of the opened frames first."""
    shares = {row["id"]: row for row in inspection["classes"]}
    largest = max((row["share"] for row in inspection["classes"]), default=1.0)
    rows = []
    for target in sorted(inspection["mapping"], key=lambda row: -shares.get(row["source_id"], {"share": -1})["share"]):
        found = shares.get(target["source_id"])
        share, bar = "", ""
        if found is not None:
            share = f"{found['share']:.2%}"
            width = max(1, round(_BAR_PX * found["share"] / largest))
            bar = f'<span class="bar" style="width:{width}px;background:rgb{tuple(found["color"])}"></span>'
        lost = ' class="warn"' if target["is_lost"] else ""
        rows.append(
            f'<tr><td class="n">{target["source_id"]}</td><td>{escape(target["source_name"])}</td>'
            f'<td class="n">{share}</td><td>{bar}</td>'
            f"<td{lost}>{escape(target['target_name'])}{' (lost)' if lost else ''}</td></tr>"
        )
    space = escape(inspection["model_label_space"])
    head = f"<tr><th>id</th><th>class</th><th>pixels</th><th></th><th>in {space}</th></tr>"
    return f'<div class="scroll"><table>{head}{"".join(rows)}</table></div>'


def _describe_problems(inspection: Mapping[str, Any]) -> str:
    lines = []
    void = inspection["void_shares"]
    if void:
        listed = ", ".join(f"{name} {share:.2%}" for name, share in void.items())
        text = f"{sum(void.values()):.2%} of the pixels are of classes that {inspection['model_label_space']} does not"
        lines.append(("warning", f"{text} have ({listed}); the model treats them as void"))
    for item in inspection["unmapped_ids"]:
        what = f"id {item['id']}" if item["id"] is not None else f"colour {tuple(item['color'])}"
        text = f"{what} on {item['share']:.2%} of the pixels is not in label space {inspection['label_space']}"
        lines.append(("error", f"{text}; first in {', '.join(item['first_files'])}"))
    lines += [
        (problem["severity"], problem["message"])
        for problem in inspection["problems"]
        if problem["message"] != inspection["failure"]
    ]
    if inspection["failure"]:
        lines.append(("convert would stop", inspection["failure"]))
    return "".join(f'<p class="warn">{escape(severity)}: {escape(text)}</p>' for severity, text in lines)
