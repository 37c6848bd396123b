"""The report of a dataset: one self-contained page with frames, scores, classes, sequences and provenance."""

from html import escape

from sflow_pipeline.addresses import join_address, name_folder
from sflow_pipeline.dataset.contents import Contents, load_contents
from sflow_pipeline.report.downstream_tables import draw_downstream
from sflow_pipeline.report.evaluation_tables import draw_evaluations
from sflow_pipeline.report.frame_cards import Gallery, build_gallery
from sflow_pipeline.report.frame_choice import choose_frames
from sflow_pipeline.report.left_out import draw_left_out
from sflow_pipeline.report.page_budget import PAGE_LIMIT_BYTES, PageBudget
from sflow_pipeline.report.page_controls import draw_filters, draw_viewer
from sflow_pipeline.report.page_parts import build_json_block, build_page, clip, read_resource
from sflow_pipeline.report.provenance import draw_provenance
from sflow_pipeline.report.score_charts import draw_class_shares, draw_scores
from sflow_pipeline.report.score_index import ScoreIndex, index_scores
from sflow_pipeline.report.sequence_strips import draw_sequences
from sflow_pipeline.report.throughput import draw_throughput

PAGE_PATH = "report/index.html"
#: Frames on the page.
DEFAULT_SAMPLE = 48
#: Kept free for what is around the parts.
_FRAME_BYTES = 20_000


def write_report_page(out_dir: str, *, sample: int = DEFAULT_SAMPLE, limit_bytes: int = PAGE_LIMIT_BYTES) -> str:
    """Write ``report/index.html`` of a finished dataset.

    Args:
        out_dir: the dataset.
        sample: how many frames to show; fewer where they do not fit.
        limit_bytes: the page is not larger than this.

    Returns:
        where it is.

    Raises:
        OutputError: there is no finished dataset, or the file cannot be written.
    """
    contents = load_contents(out_dir)
    page = _build(contents, sample, limit_bytes)
    contents.folder.write_bytes(PAGE_PATH, page.encode("utf-8", "replace"))
    return join_address(contents.folder.uri, PAGE_PATH)


def _build(contents: Contents, sample: int, limit_bytes: int) -> str:
    manifest, counts = contents.manifest, contents.manifest.counts
    index = index_scores(contents)
    mapping = contents.load_label_mapping()
    targets = {item.id: item.target_name for item in mapping.mapping}
    lost = clip(", ".join(mapping.lost), 400)
    title = f"{clip(name_folder(manifest.source.root, 'Simulator frames'))}, made photo-realistic"
    script = read_resource("page.js")
    budget = PageBudget(limit_bytes - len(build_page(title, [], script=script)) - _FRAME_BYTES)
    around = [
        draw_scores(index),
        draw_class_shares(contents.label_space, mapping.pixels, targets),
        f'<p class="warn">No counterpart in the model\'s classes: {escape(lost)}</p>' if lost else "",
        draw_evaluations(contents.folder),
        draw_downstream(contents.folder),
        draw_throughput(contents.folder),
        draw_provenance(contents, index),
    ]
    budget.take("".join(around))
    left_out = draw_left_out(contents, budget)
    sequences = draw_sequences(contents, index, budget)
    gallery = build_gallery(contents, index, choose_frames(index, sample), budget)
    facts = f"{counts.rows:,} rows of {counts.frames:,} frames, {counts.quarantined:,} quarantined"
    facts += f", {counts.rejected:,} images rejected by the gate" if counts.rejected else ""
    parts = [
        f"<header><h1>{escape(title)}</h1>",
        f'<p class="lead">{facts}</p></header><main>',
        *(f'<p class="warn">cannot be read: {escape(clip(text, 400))}</p>' for text in index.unreadable[:20]),
        _draw_gallery(gallery, index),
        around[0],
        left_out,
        sequences,
        *around[1:],
        "</main>",
        draw_viewer(),
        build_json_block("facts", _describe(contents, gallery, index)),
        *gallery.full_size.values(),
    ]
    page = build_page(title, parts, script=script)
    while len(page.encode("utf-8", "replace")) > limit_bytes and gallery.full_size:
        page = page.replace(gallery.full_size.popitem()[1], "")
    return page


def _draw_gallery(gallery: Gallery, index: ScoreIndex) -> str:
    shown, total = len(gallery.cards), len(index.frames)
    facts = [f"{shown:,} of {total:,} frames"]
    if shown < total:
        facts.append("spread evenly, and those with the worst scores")
    if gallery.left_out:
        facts.append(f"{gallery.left_out:,} more did not fit into the page")
    full = len(gallery.full_size)
    facts.append("pictures open at full size" if full == shown else f"{full:,} of them open at full size")
    problems = "".join(f'<p class="warn">{escape(clip(text, 400))}</p>' for text in gallery.problems[:20])
    return (
        f'<section><h2>Frames</h2><p class="lead">{"; ".join(facts)}.</p>{problems}'
        "<noscript><p>Filters and the full-size viewer need JavaScript; everything else is here.</p></noscript>"
        f'{draw_filters(gallery, index)}<div id="cards" class="cards">{"".join(gallery.cards)}</div></section>'
    )


def _describe(contents: Contents, gallery: Gallery, index: ScoreIndex) -> dict[str, object]:
    """What the page's script needs to know."""
    used = {name for item in gallery.facts for name in item["classes"]}
    colors = {clip(item.name): list(item.color) for item in contents.label_space.classes}
    return {
        "frames": gallery.facts,
        "scores": list(index.scores),
        "colors": {name: color for name, color in colors.items() if name in used},
    }
