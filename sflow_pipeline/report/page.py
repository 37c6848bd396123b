"""The report: one self-contained page that says what a dataset is, shows it, and points at its weakest frames."""

import base64
import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.report.contact_sheet import CONTACT_SHEET_PATH, draw_contact_sheet
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_codec import decode_rgb, encode_jpeg
from sflow_pipeline.storage.manifest import list_shards, load_manifest
from sflow_pipeline.storage.shard_file import read_shard

PAGE_PATH = "report/index.html"
_WEAKEST = 6
_BINS = 20
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem;color:#1c1c1c;background:#fff}
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem;margin-top:2.2rem}p.lead{color:#555;margin-top:.2rem}
img{width:100%;height:auto;display:block}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.15rem .9rem .15rem 0;text-align:left;vertical-align:top}th{font-weight:600}td.n{text-align:right}
.chip{display:inline-block;width:.8em;height:.8em;border:1px solid #0003;margin-right:.4em;vertical-align:-1px}
.cols{display:flex;flex-wrap:wrap;gap:3rem}code{font-size:.85em}.warn{color:#a33}
@media(prefers-color-scheme:dark){body{background:#151515;color:#ddd}p.lead{color:#999}}
"""


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
        f'<img alt="frames of the dataset" src="{_embed(decode_rgb(folder.read_bytes(CONTACT_SHEET_PATH)))}">',
        '<div class="cols">',
        _facts(manifest),
        _histogram(list(scores.values())),
        "</div>",
        _quarantine(manifest),
        "<h2>Weakest frames</h2><p>Lowest edge F1: here the photo follows what was asked for least.</p>",
        f'<img alt="weakest frames" src="{_embed(sheet)}">' if sheet is not None else "",
        "<h2>Classes</h2>",
        _mapping(labels),
        "<h2>Shards</h2>",
        _table(
            ("shard", "split", "rows", "bytes", "sha256"),
            ((s.shard_id, s.split, s.rows, f"{s.size_bytes:,}", (s.sha256 or "")[:16]) for s in list_shards(manifest)),
        ),
        "<p>Check it: <code>sflow-pipeline verify OUT_DIR</code></p>",
    ]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    page = f"{head}<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"
    folder.write_bytes(PAGE_PATH, page.encode())
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
    label_files = "nearest-resized" if manifest["label_resized"] else "byte for byte the simulator's"
    rows = (
        ("simulator", f"{source['simulator']} {source.get('version') or ''}"),
        ("labels", f"{manifest['label_space']['name']}, {label_files}"),
        ("model", f"{bundle['name']} {bundle['version']}, {bundle['digest'][:16]}"),
        ("painted on", f"{manifest['device']}, {manifest['precision']}"),
        ("variants, seed", f"{manifest['job']['variants']}, {manifest['job']['seed']}"),
        ("bytes", f"{manifest['counts']['size_bytes']:,}"),
    )
    return f"<div><h2>What it is</h2>{_table(('', ''), rows)}</div>"


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
    ticks = "".join(f'<text x="{x * 360:.0f}" y="126" font-size="11">{x:g}</text>' for x in (0, 0.5, 0.97))
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
    table = _table(("reason", "count"), sorted({**reasons, **left_out}.items()))
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


def _table(names: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _embed(picture: NDArray[np.uint8]) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(picture)).decode()
