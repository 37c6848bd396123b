"""An evaluation as Markdown: the table of the paper, the classes, the edges, and the protocol below them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sflow_pipeline.evaluation.results.scores import Evaluation, Score, TableRow
from sflow_pipeline.markdown import draw_table
from sflow_pipeline.metrics import Metric

#: The better direction.
ARROWS = {"higher": "↑", "lower": "↓", "closer": "≈"}


def draw_markdown(evaluation: Evaluation) -> str:
    """The whole evaluation as Markdown; the same evaluation gives the same text."""
    parts = [draw_table(*list_scores(evaluation))]
    if any(row.classes for row in evaluation.rows):
        parts.append("Intersection over union per class (- where no true pixel is of it):\n")
        parts.append(_draw_classes(evaluation.rows))
    if evaluation.edges:
        parts.append("Edges:\n")
        parts.append(_draw_edges(evaluation.edges))
    lines = list_protocol(evaluation)
    return "\n".join([*parts, "\n".join(f"- {line}" for line in lines)]) + "\n"


def format_score(score: Score | None, metric: Metric) -> str:
    """A score with its interval or spread.

    >>> from sflow_pipeline.metrics.kernel_metric import KERNEL
    >>> from sflow_pipeline.metrics.miou import MIOU
    >>> format_score(Score(0.5432, 51, interval=(0.51, 0.57)), MIOU)
    '0.543 [0.510, 0.570]'
    >>> format_score(Score(0.0123, 51, spread=0.002), KERNEL), format_score(None, MIOU)
    ('0.0123 ± 0.0020', '-')
    """
    if score is None or score.value is None:
        return "-"
    sign = "+" if metric.signed else ""
    text = f"{score.value:{sign}.{metric.digits}f}"
    if score.interval is not None:
        low, high = (f"{bound:{sign}.{metric.digits}f}" for bound in score.interval)
        text += f" [{low}, {high}]"
    elif score.spread is not None:
        text += f" ± {score.spread:.{metric.digits}f}"
    return text


def list_scores(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Head and lines of the table of scores, as text."""
    metrics = evaluation.shown_metrics
    head = ["pictures", "images", "size"]
    for metric in metrics:
        head.append(f"{metric.column} {ARROWS[metric.better]}")
        if metric.shares_oracle:
            head.append(f"{metric.column} of oracle")
    lines = []
    for row in evaluation.rows:
        cells = [row.name, str(row.n), _format_sizes(row.sizes_px)]
        for metric in metrics:
            cells.append(format_score(row.scores.get(metric.name), metric))
            if metric.shares_oracle:
                share = evaluation.share_of_oracle(row, metric.name)
                cells.append("-" if share is None or row.role == "oracle" else f"{share:.1%}")
        lines.append(cells)
    return head, lines


def _draw_classes(rows: Sequence[TableRow]) -> str:
    names = list(dict.fromkeys(item.name for row in rows for item in row.classes))
    lines = []
    for row in rows:
        iou = {item.name: item.iou for item in row.classes}
        lines.append([row.name, *("-" if iou.get(name) is None else f"{iou[name]:.3f}" for name in names)])
    return draw_table(["pictures", *names], lines)


def _draw_edges(edges: Mapping[str, Any]) -> str:
    lines = [
        [
            name,
            str(found["n"]),
            f"{found['density']:.4f}",
            f"{found['density_tv']:.3f}",
            "-" if found["orientation_tv"] is None else f"{found['orientation_tv']:.3f}",
        ]
        for name, found in edges["sets"].items()
    ]
    return draw_table(["edges of", "images", "density", "density_tv ↓", "orientation_tv ↓"], lines)


def list_protocol(evaluation: Evaluation) -> list[str]:
    """What the scores were measured with, and remarks, as sentences."""
    protocol = evaluation.protocol
    lines = []
    for what in ("judge", "extractor"):
        if what in protocol:
            network = protocol[what]
            lines.append(
                f"{what}: {network['name']}, sha256 {network['sha256'][:12]}, input {network['input_px']} px by "
                f"{network['filter']}, values {network['input_range']}"
            )
    if protocol.get("judge", {}).get("kind") == "bundle":
        lines.append("judge: this is the bundle's own segmenter; for an independent one name a network with --judge")
    if protocol.get("extractor", {}).get("kind") == "bundle_features":
        lines.append(
            "extractor: these are features of the bundle's own segmenter, good for comparing its conversions with each "
            "other; for distances from outside name a network with --extractor"
        )
    if "score_space" in protocol:
        space = protocol["score_space"]
        lines.append(
            f"scored in {space['name']}, {len(space['scored'])} classes, all pixels of a row together, void left out"
        )
    where = f", split {protocol['reference_split']}" if protocol["reference_split"] else ""
    lines.append(f"real photos: {protocol['reference']}{where}; [low, high] is a {protocol['interval']}")
    lines += _list_notes(evaluation)
    if evaluation.edges:
        lines += [f"{name}: {text}" for name, text in evaluation.edges["protocol"].items()]
        lines += evaluation.edges["notes"]
    return lines


def _list_notes(evaluation: Evaluation) -> list[str]:
    """Each note once, with the rows that it applies to."""
    about: dict[str, list[str]] = {}
    for row in evaluation.rows:
        shown = [metric for metric in evaluation.shown_metrics if metric.name in row.scores]
        scored = ((metric.column, row.scores[metric.name].note) for metric in shown)
        for note in (*row.notes, *(f"{column}: {note}" for column, note in scored if note)):
            about.setdefault(note, []).append(row.name)
    return [
        note if len(names) == len(evaluation.rows) > 1 else f"{', '.join(names)}: {note}"
        for note, names in about.items()
    ]


def _format_sizes(sizes_px: Mapping[str, int]) -> str:
    if len(sizes_px) == 1:
        return next(iter(sizes_px))
    return ", ".join(f"{size} ({count})" for size, count in sorted(sizes_px.items(), key=lambda item: -item[1])[:3])
