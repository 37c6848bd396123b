"""Sequences of a dataset: mean scores, and a strip of frames of each."""

from html import escape

import numpy as np

from sflow_pipeline.dataset.contents import Contents
from sflow_pipeline.errors import SflowError
from sflow_pipeline.report.frame_choice import spread_evenly
from sflow_pipeline.report.frame_pictures import PictureReader, embed_photo, shrink
from sflow_pipeline.report.page_budget import PageBudget
from sflow_pipeline.report.page_parts import build_table, clip
from sflow_pipeline.report.score_index import IndexedFrame, ScoreIndex

_MOST_STRIPS = 16
_MOST_SEQUENCES = 200
_STRIP_FRAMES = 6
_WIDTH_PX = 160


def draw_sequences(contents: Contents, index: ScoreIndex, budget: PageBudget) -> str:
    """A table of the sequences with their mean scores, strips of frames in some of them."""
    groups: dict[tuple[str, str], list[IndexedFrame]] = {}
    for frame in index.frames:
        groups.setdefault((frame.split, frame.sequence_id), []).append(frame)
    if not groups:
        return ""
    names = list(groups)
    listed = spread_evenly(len(names), _MOST_SEQUENCES)
    with_strip = {listed[i] for i in spread_evenly(len(listed), _MOST_STRIPS)}
    reader = PictureReader(contents)
    strips, rows = [], []
    for position in listed:
        frames = groups[names[position]]
        means = _list_means(index, frames)
        rows.append((*(clip(name) for name in reversed(names[position])), f"{len(frames):,}", *means.values()))
        if position not in with_strip:
            continue
        split, sequence = (escape(clip(name)) for name in names[position])
        strip = _draw_strip(reader, frames)
        strip = strip if budget.take(strip) else ""
        unit = "frame" if len(frames) == 1 else "frames"
        shown = "".join(f" · {escape(name)} {mean}" for name, mean in means.items())
        facts = f"{len(frames):,} {unit} · {split}{shown}"
        strips.append(f'<div class="sequence"><h3>{sequence}</h3><p class="lead">{facts}</p>{strip}</div>')
    note = f'<p class="lead">{len(listed)} of {len(names):,} sequences.</p>' if len(listed) < len(names) else ""
    table = build_table(("sequence", "split", "frames", *index.scores), rows)
    return (
        f"<section><h2>Sequences</h2>{note}{''.join(strips)}"
        f'<details><summary>Mean scores of the sequences</summary><div class="scroll">{table}</div></details></section>'
    )


def _draw_strip(reader: PictureReader, frames: list[IndexedFrame]) -> str:
    pictures = []
    for i in spread_evenly(len(frames), _STRIP_FRAMES):
        try:
            picture = reader.read_image(frames[i].rows[0])
        except SflowError:
            continue  # said with the cards
        name = escape(clip(frames[i].sample_id))
        address = embed_photo(shrink(picture, _WIDTH_PX))
        pictures.append(f'<img loading="lazy" alt="{name}" title="{name}" src="{address}">')
    return f'<div class="strip">{"".join(pictures)}</div>' if pictures else ""


def _list_means(index: ScoreIndex, frames: list[IndexedFrame]) -> dict[str, str]:
    """Score -> its mean over the rows of some frames, a dash where no row has a value."""
    rows = [row for frame in frames for row in frame.rows]
    means = {}
    for name, values in index.scores.items():
        found = values[rows]
        found = found[~np.isnan(found)]
        means[name] = f"{found.mean():.3f}" if len(found) else "-"
    return means
