"""The report: one self-contained page that says what a dataset is, shows it, and points at its weakest frames."""

import heapq
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from sflow_pipeline.report.contact_sheet import CONTACT_SHEET_PATH, draw_contact_sheet
from sflow_pipeline.report.page_parts import build_page, build_table, embed_picture
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_codec import decode_rgb
from sflow_pipeline.storage.manifest import list_shards, load_manifest
from sflow_pipeline.storage.shard_file import read_shard

PAGE_PATH = "report/index.html"
_WEAKEST = 6
_BINS = 20


def write_report_page(out_dir: str) -> str:
    """Write ``report/index.html``; needs a finished dataset whose contact sheet is drawn.

    Raises:
        OutputError: there is no finished dataset, or the file cannot be written.
    """
    folder = Folder(out_dir)
    manifest = load_manifest(folder)
    labels = json.loads(folder.read_bytes("labels.json"))
    scores = _read_scores(folder, manifest)
    weakest = {index for _, index in heapq.nsmallest(_WEAKEST, ((score, index) for index, score in scores.items()))}
    sheet = draw_contact_sheet(folder, manifest, weakest)
    counts = manifest["counts"]
    # Nothing here says where the dataset lies: the same dataset has the same page everywhere.
    title = f"{manifest['source']['simulator']} frames made photo-realistic"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{counts["rows"]} rows of {counts["frames"]} frames, {counts["quarantined"]} quarantined</p>',
        f'<img alt="frames of the dataset" src="{embed_picture(decode_rgb(folder.read_bytes(CONTACT_SHEET_PATH)))}">',
        '<div class="cols">',
        _facts(manifest),
        _histogram(list(scores.values())),
        "</div>",
        _quarantine(manifest),
        "<h2>Weakest frames</h2><p>Lowest edge F1: here the photo follows what was asked for least.</p>",
        f'<img alt="weakest frames" src="{embed_picture(sheet)}">' if sheet is not None else "",
        "<h2>Classes</h2>",
        _mapping(labels),
        "<h2>Shards</h2>",
        build_table(
            ("shard", "split", "rows", "bytes", "sha256"),
            ((s.shard_id, s.split, s.rows, f"{s.size_bytes:,}", (s.sha256 or "")[:16]) for s in list_shards(manifest)),
        ),
        "<p>Check it: <code>sflow-pipeline verify OUT_DIR</code></p>",
    ]
    folder.write_bytes(PAGE_PATH, build_page(title, parts).encode())
    return f"{out_dir.rstrip('/')}/{PAGE_PATH}"


def _read_scores(folder: Folder, manifest: Mapping[str, Any]) -> dict[int, float]:
    """Row number over all shards → edge F1."""
    scores: dict[int, float] = {}
    first = 0
    for shard in list_shards(manifest):
        if shard.path is None:
            continue
        for index, row in enumerate(read_shard(folder, shard.path, columns=["edge_f1"])):
            if row["edge_f1"] is not None:
                scores[first + index] = float(row["edge_f1"])
        first += shard.rows
    return scores


def _facts(manifest: Mapping[str, Any]) -> str:
    bundle, source = manifest["bundle"], manifest["source"]
    own = source.get("metadata", {}).get("label_files", "byte for byte the simulator's")
    label_files = "nearest-resized" if manifest["label_resized"] else own
    rows = (
        ("simulator", f"{source['simulator']} {source.get('version') or ''}"),
        ("labels", f"{manifest['label_space']['name']}, {label_files}"),
        ("model", f"{bundle['name']} {bundle['version']}, {bundle['digest'][:16]}"),
        ("painted on", f"{manifest['device']}, {manifest['precision']}"),
        ("variants, seed", f"{manifest['job']['variants']}, {manifest['job']['seed']}"),
        ("bytes", f"{manifest['counts']['size_bytes']:,}"),
    )
    return f"<div><h2>What it is</h2>{build_table(('', ''), rows)}</div>"


def _histogram(scores: Sequence[float]) -> str:
    if not scores:
        return ""
    counts, _ = np.histogram(scores, bins=_BINS, range=(0.0, 1.0))
    tallest = max(int(counts.max()), 1)
    bars = "".join(
        f'<rect x="{i * 18}" y="{110 - 100 * int(n) / tallest:.1f}" width="16" height="{100 * int(n) / tallest:.1f}">'
        f"<title>{i / _BINS:.2f} to {(i + 1) / _BINS:.2f}: {int(n)} rows</title></rect>"
        for i, n in enumerate(counts)
    )
    ends = ((0, "0"), (177, "0.5"), (354, "1"))
    ticks = "".join(f'<text x="{x}" y="126" font-size="11">{text}</text>' for x, text in ends)
    drawing = f'<g fill="#1f6feb">{bars}</g><g fill="#777">{ticks}</g>'
    svg = f'<svg width="370" height="130" viewBox="0 0 370 130">{drawing}</svg>'
    caption = f"edge F1, mean {np.mean(scores):.3f}, median {np.median(scores):.3f} of {len(scores)} rows"
    return f"<div><h2>How well photos follow their edges</h2>{svg}<p>{caption}</p></div>"


def _quarantine(manifest: Mapping[str, Any]) -> str:
    reasons: dict[str, int] = {}
    for shard in list_shards(manifest):
        for reason, count in shard.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
    left_out = {f"{kind} (files of no frame)": count for kind, count in manifest.get("left_out", {}).items()}
    if not reasons and not left_out:
        return ""
    table = build_table(("reason", "count"), sorted({**reasons, **left_out}.items()))
    return f'<h2 class="warn">Left out</h2>{table}<p>Messages and paths: <code>quarantine/</code></p>'


def _mapping(labels: Mapping[str, Any]) -> str:
    colors = {item["id"]: item["color"] for item in labels["source"]["classes"]}
    rows = []
    for row in labels["mapping"]:
        if row["id"] in colors:
            chip = f'<span class="chip" style="background:rgb{tuple(colors[row["id"]])}"></span>'
            names = f"<td>{chip}{escape(row['name'])}</td><td>{escape(row['target_name'])}</td>"
            rows.append(f'<tr><td class="n">{row["id"]}</td>{names}</tr>')
    head = "<tr><th>id</th><th>class of the dump</th><th>painted as</th></tr>"
    lost = f'<p class="warn">No counterpart: {escape(", ".join(labels["lost"]))}</p>' if labels["lost"] else ""
    return f"<table>{head}{''.join(rows)}</table>{lost}"
