"""The report of a dataset: one self-contained page with facts, frames, scores and the weakest frames."""

import heapq
from collections import Counter
from collections.abc import Sequence
from html import escape

import numpy as np

from sflow_pipeline.dataset.contents import Contents, load_contents
from sflow_pipeline.report.contact_sheet import CONTACT_SHEET_PATH, draw_contact_sheet
from sflow_pipeline.report.page_parts import build_page, build_table, embed_picture
from sflow_pipeline.storage.image_codec import decode_rgb
from sflow_pipeline.storage.manifest import Manifest

PAGE_PATH = "report/index.html"
_WEAKEST = 6
_BINS = 20


def write_report_page(out_dir: str) -> str:
    """Write ``report/index.html``; needs a finished dataset whose contact sheet is drawn.

    Raises:
        OutputError: there is no finished dataset, or the file cannot be written.
    """
    contents = load_contents(out_dir)
    folder, manifest, counts = contents.folder, contents.manifest, contents.manifest.counts
    scores = [row.values["edge_f1"] for row in contents.read_rows(columns=["edge_f1"])]
    scored = [(score, index) for index, score in enumerate(scores) if score is not None]
    weakest = {index for _, index in heapq.nsmallest(_WEAKEST, scored)}
    sheet = draw_contact_sheet(contents, weakest)
    # No path of this machine: the same dataset has the same page everywhere.
    title = f"{manifest.source.simulator} frames made photo-realistic"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{counts.rows} rows of {counts.frames} frames, {counts.quarantined} quarantined</p>',
        f'<img alt="frames of the dataset" src="{embed_picture(decode_rgb(folder.read_bytes(CONTACT_SHEET_PATH)))}">',
        '<div class="cols">',
        _facts(manifest),
        _histogram([score for score, _ in scored]),
        "</div>",
        _quarantine(manifest),
        "<h2>Weakest frames</h2><p>Lowest edge F1: the photo follows the requested edges least.</p>",
        f'<img alt="weakest frames" src="{embed_picture(sheet)}">' if sheet is not None else "",
        "<h2>Classes</h2>",
        _mapping(contents),
        "<h2>Shards</h2>",
        build_table(
            ("shard", "split", "rows", "bytes", "sha256"),
            ((s.shard_id, s.split, s.rows, f"{s.size_bytes:,}", (s.sha256 or "")[:16]) for s in manifest.shards),
        ),
        "<p>Check it: <code>sflow-pipeline verify OUT_DIR</code></p>",
    ]
    folder.write_bytes(PAGE_PATH, build_page(title, parts).encode("utf-8", "replace"))
    return f"{contents.folder.uri.rstrip('/')}/{PAGE_PATH}"


def _facts(manifest: Manifest) -> str:
    source, bundle = manifest.source, manifest.bundle
    own = source.metadata.get("label_files", "byte for byte the simulator's")
    label_files = "nearest-resized" if manifest.label_resized else own
    batch = "" if manifest.batch_size is None else f", {manifest.batch_size} frames at once"
    rows = (
        ("simulator", f"{source.simulator} {source.simulator_version}"),
        ("labels", f"{manifest.label_space.name}, {label_files}"),
        ("model", f"{bundle.name} {bundle.version}, {bundle.digest[:16]}"),
        ("converted on", f"{manifest.device}, {manifest.precision}{batch}"),
        ("variants, seed", f"{manifest.variants}, {manifest.seed}"),
        ("bytes", f"{manifest.counts.size_bytes:,}"),
    )
    return f"<div><h2>Facts</h2>{build_table(('', ''), rows)}</div>"


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


def _quarantine(manifest: Manifest) -> str:
    """Frames and files that were left out, counted by reason."""
    frames: Counter[str] = Counter()
    for shard in manifest.shards:
        frames.update(shard.reasons)
    files = manifest.left_out.reasons if manifest.left_out else {}
    rows = [
        *((reason, "frames", count) for reason, count in sorted(frames.items())),
        *([("rejected by the gate", "images", manifest.counts.rejected)] if manifest.counts.rejected else []),
        *((reason, "files of no frame", count) for reason, count in sorted(files.items())),
    ]
    if not rows:
        return ""
    table = build_table(("reason", "of", "count"), rows)
    return f'<h2 class="warn">Left out</h2>{table}<p>Messages and paths: <code>quarantine/</code></p>'


def _mapping(contents: Contents) -> str:
    """The classes of the dump, and the class that the model painted each as."""
    written = contents.load_label_mapping()
    colors = {item.id: item.color for item in contents.label_space.classes}
    rows = []
    for item in written.mapping:
        if item.id in colors:
            chip = f'<span class="chip" style="background:rgb{tuple(colors[item.id])}"></span>'
            names = f"<td>{chip}{escape(item.name)}</td><td>{escape(item.target_name)}</td>"
            rows.append(f'<tr><td class="n">{item.id}</td>{names}</tr>')
    head = "<tr><th>id</th><th>class of the dump</th><th>painted as</th></tr>"
    lost = f'<p class="warn">No counterpart: {escape(", ".join(written.lost))}</p>' if written.lost else ""
    return f"<table>{head}{''.join(rows)}</table>{lost}"
