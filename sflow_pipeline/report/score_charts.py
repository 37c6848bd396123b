"""Drawings of a report: distribution of each score over all rows, and shares of the classes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.report.page_parts import build_table, clip
from sflow_pipeline.report.score_index import ScoreIndex

_BINS = 20
_BAR_PX = 18
_HEIGHT_PX = 90
_MOST_CLASSES = 300
_MOST_WORDS = 30


def draw_scores(index: ScoreIndex) -> str:
    """A histogram of each score, and how often each word of the other score columns occurs."""
    parts = [_draw_histogram(name, values[~np.isnan(values)]) for name, values in index.scores.items()]
    parts += [_count_words(name, values) for name, values in index.texts.items()]
    found = "".join(part for part in parts if part)
    return f'<section><h2>Scores of all rows</h2><div class="cols">{found}</div></section>' if found else ""


def draw_class_shares(space: LabelSpace, pixels: Mapping[int, int], targets: Mapping[int, str]) -> str:
    """A bar per class of the dataset.

    Args:
        space: of the labels.
        pixels: class id -> label pixels of the whole dataset.
        targets: class id -> name of the class that the model painted it as.
    """
    total = max(1, sum(pixels.values()))
    largest = max(1, *pixels.values()) if pixels else 1
    rows = []
    classes = sorted(space.classes, key=lambda item: -pixels.get(item.id, 0))
    for item in classes[:_MOST_CLASSES]:
        share = pixels.get(item.id, 0) / total
        width = 200 * pixels.get(item.id, 0) / largest
        bar = (
            '<svg class="share" width="216" height="14" aria-hidden="true">'
            '<rect x="0.5" y="1.5" width="11" height="11" '
            f'class="chip" fill="rgb{tuple(item.color)}"/><rect x="16" y="3" width="{width:.1f}" height="8"/></svg>'
        )
        rows.append(
            f'<tr><td class="n">{item.id}</td><td>{escape(clip(item.name))}</td><td class="n">{share:.2%}</td>'
            f"<td>{bar}</td><td>{escape(clip(targets.get(item.id, '')))}</td></tr>"
        )
    more = len(classes) - _MOST_CLASSES
    note = f"<p>{more} more classes: see <code>labels.json</code></p>" if more > 0 else ""
    head = "<tr><th>id</th><th>class</th><th>pixels</th><th></th><th>painted as</th></tr>"
    return (
        f'<section><h2>Classes</h2><p class="lead">Share of all label pixels, in {escape(clip(space.name))}.</p>'
        f'<div class="scroll"><table>{head}{"".join(rows)}</table></div>{note}</section>'
    )


def _draw_histogram(name: str, values: NDArray[np.float64]) -> str:
    if not len(values):
        return ""
    low, high = (0.0, 1.0) if values.min() >= 0 and values.max() <= 1 else (float(values.min()), float(values.max()))
    counts, edges = np.histogram(values, bins=_BINS, range=(low, max(high, low + 1e-9)))
    tallest = max(int(counts.max()), 1)
    bars = "".join(
        f'<rect x="{i * _BAR_PX}" y="{_HEIGHT_PX - h:.1f}" width="{_BAR_PX - 2}" height="{h:.1f}">'
        f"<title>{edges[i]:.3g} to {edges[i + 1]:.3g}: {int(n)} rows</title></rect>"
        for i, n in enumerate(counts)
        for h in [_HEIGHT_PX * int(n) / tallest]
    )
    width = _BINS * _BAR_PX
    ticks = "".join(
        f'<text x="{x}" y="{_HEIGHT_PX + 14}" text-anchor="{anchor}">{value:.3g}</text>'
        for x, value, anchor in (
            (0, low, "start"), (width // 2, (low + high) / 2, "middle"), (width - 2, high, "end")
        )
    )  # fmt: skip
    caption = f"mean {values.mean():.3f}, median {np.median(values):.3f}, {len(values):,} rows"
    return (
        f'<div class="chart"><h3>{escape(name)}</h3><svg viewBox="0 0 {width} {_HEIGHT_PX + 18}" role="img" '
        f'aria-label="histogram of {escape(name)}">{bars}{ticks}</svg><p class="lead">{caption}</p></div>'
    )


def _count_words(name: str, values: Sequence[str]) -> str:
    counts = Counter(word.strip() for value in values for word in value.split(",") if word.strip())
    if not counts:
        return ""
    rows = [(clip(word), f"{count:,}") for word, count in counts.most_common(_MOST_WORDS)]
    return f'<div class="chart"><h3>{escape(name)}</h3>{build_table(("value", "rows"), rows)}</div>'
