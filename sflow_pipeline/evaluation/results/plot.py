"""An evaluation as an SVG: one panel per metric, one bar per row, intervals as whiskers, the oracle as a line."""

from html import escape

from sflow_pipeline.evaluation.results.markdown import ARROWS, format_score
from sflow_pipeline.evaluation.results.scores import Evaluation, TableRow
from sflow_pipeline.metrics import Metric

_NAME_PX = 240
_BAR_PX = 420
_VALUE_PX = 190
_LINE_PX = 26
_HEAD_PX = 34
_COLORS = {"dataset": "#2a6f97", "photos": "#8d99ae", "oracle": "#2f2f2f"}


def draw_svg(evaluation: Evaluation) -> str:
    """The scores as bars; the same evaluation gives the same text."""
    panels = []
    top = 10
    for metric in evaluation.shown_metrics:
        rows = [row for row in evaluation.rows if _has_value(row, metric)]
        if rows:
            panels.append(_draw_panel(evaluation, metric, rows, top))
            top += _HEAD_PX + _LINE_PX * len(rows) + 14
    width = _NAME_PX + _BAR_PX + _VALUE_PX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" viewBox="0 0 {width} {top}" '
        'font-family="sans-serif" font-size="13">\n'
        f'<rect width="{width}" height="{top}" fill="#ffffff"/>\n' + "".join(panels) + "</svg>\n"
    )


def _draw_panel(evaluation: Evaluation, metric: Metric, rows: list[TableRow], top: int) -> str:
    ends = [0.0]
    for row in rows:
        score = row.scores[metric.name]
        ends += [score.value or 0.0, *(score.interval or ())]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return round(_NAME_PX + _BAR_PX * (value - low) / span, 1)

    parts = [f'<text x="10" y="{top + 20}" font-weight="bold">{escape(metric.column)} {ARROWS[metric.better]}</text>\n']
    first = top + _HEAD_PX
    for index, row in enumerate(rows):
        score = row.scores[metric.name]
        value = score.value or 0.0
        y = first + index * _LINE_PX
        start, end = sorted((place(0.0), place(value)))
        parts.append(
            f'<text x="{_NAME_PX - 10}" y="{y + 14}" text-anchor="end">{escape(_shorten(row.name))}</text>\n'
            f'<rect x="{start}" y="{y + 2}" width="{round(end - start, 1)}" height="16" fill="{_COLORS[row.role]}"/>\n'
        )
        if score.interval is not None:
            left, right = (place(bound) for bound in score.interval)
            parts.append(
                f'<path d="M{left} {y + 10}H{right}M{left} {y + 6}v8M{right} {y + 6}v8" stroke="#d1495b" '
                'stroke-width="1.5" fill="none"/>\n'
            )
        text = format_score(score, metric)
        parts.append(f'<text x="{_NAME_PX + _BAR_PX + 10}" y="{y + 14}">{escape(text)}</text>\n')
    best = evaluation.oracle.scores.get(metric.name)
    if best is not None and best.value is not None:
        x = place(best.value)
        bottom = first + len(rows) * _LINE_PX - 4
        parts.append(f'<path d="M{x} {first - 4}V{bottom}" stroke="#2f2f2f" stroke-dasharray="4 3"/>\n')
    return "".join(parts)


def _has_value(row: TableRow, metric: Metric) -> bool:
    return metric.name in row.scores and row.scores[metric.name].value is not None


def _shorten(name: str, letters: int = 34) -> str:
    return name if len(name) <= letters else f"{name[: letters - 1]}…"
