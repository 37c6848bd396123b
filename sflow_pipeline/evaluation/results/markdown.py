"""An evaluation as Markdown: the table of the paper, the classes, the edges, and the protocol below them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sflow_pipeline.evaluation.results.scores import Evaluation, Row, Score
from sflow_pipeline.markdown import draw_table
from sflow_pipeline.metrics import find_direction

#: Which way is better.
ARROWS = {"higher": "↑", "lower": "↓", "closer": "≈"}


def draw_markdown(evaluation: Evaluation) -> str:
    """The whole evaluation as Markdown; the same evaluation gives the same text."""
    parts = [_draw_scores(evaluation)]
    if any(row.classes for row in evaluation.rows):
        parts.append("Intersection over union per class (- where no true pixel is of it):\n")
        parts.append(_draw_classes(evaluation.rows))
    if evaluation.edges:
        parts.append("Edges:\n")
        parts.append(_draw_edges(evaluation.edges))
    lines = _list_protocol(evaluation)
    return "\n".join([*parts, "\n".join(f"- {line}" for line in lines)]) + "\n"


def format_score(score: Score | None, digits: int = 3) -> str:
    """A score with its interval or spread.

    >>> format_score(Score(0.5432, 51, interval=(0.51, 0.57)))
    '0.543 [0.510, 0.570]'
    >>> format_score(Score(0.0123, 51, spread=0.002), digits=4), format_score(None)
    ('0.0123 ± 0.0020', '-')
    """
    if score is None or score.value is None:
        return "-"
    text = f"{score.value:.{digits}f}"
    if score.interval is not None:
        text += f" [{score.interval[0]:.{digits}f}, {score.interval[1]:.{digits}f}]"
    if score.spread is not None:
        text += f" ± {score.spread:.{digits}f}"
    return text


def shown_metrics(evaluation: Evaluation) -> list[str]:
    """Metrics worth a column: ``miou_common`` only where it says something else than ``miou``."""
    names = evaluation.metric_names
    same = all(
        row.scores["miou"].value == row.scores["miou_common"].value for row in evaluation.rows if "miou" in row.scores
    )
    return [name for name in names if name != "miou_common" or not same]


def _draw_scores(evaluation: Evaluation) -> str:
    metrics = shown_metrics(evaluation)
    head = ["pictures", "images", "size"]
    for metric in metrics:
        head.append(f"{metric} {ARROWS[find_direction(metric)]}")
        if metric.startswith("miou"):
            head.append(f"{metric} of oracle")
    lines = []
    for row in evaluation.rows:
        cells = [row.name, str(row.n), _format_sizes(row.sizes_px)]
        for metric in metrics:
            cells.append(format_score(row.scores.get(metric), digits=4 if metric.startswith(("kernel", "kid")) else 3))
            if metric.startswith("miou"):
                share = evaluation.share_of_oracle(row, metric)
                cells.append("-" if share is None or row.role == "oracle" else f"{share:.1%}")
        lines.append(cells)
    return draw_table(head, lines)


def _draw_classes(rows: Sequence[Row]) -> str:
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


def _list_protocol(evaluation: Evaluation) -> list[str]:
    protocol = evaluation.protocol
    lines = []
    for what in ("judge", "extractor"):
        if what in protocol:
            network = protocol[what]
            lines.append(
                f"{what}: {network['name']}, sha256 {network['sha256'][:12]}, input {network['input_px']} px by "
                f"{network['filter']}, values {network['input_range']}"
            )
    if "score_space" in protocol:
        space = protocol["score_space"]
        lines.append(
            f"scored in {space['name']}, {len(space['scored'])} classes, all pixels of a row together, void left out"
        )
        if space["excluded"]:
            lines.append(f"the judge has no word for {', '.join(space['excluded'])}: their pixels are not scored")
    where = f", split {protocol['reference_split']}" if protocol["reference_split"] else ""
    lines.append(f"real photos: {protocol['reference']}{where}; [low, high] is a {protocol['interval']}")
    lines += _list_notes(evaluation)
    if evaluation.edges:
        lines += [f"{name}: {text}" for name, text in evaluation.edges["protocol"].items()]
        lines += evaluation.edges["notes"]
    return lines


def _list_notes(evaluation: Evaluation) -> list[str]:
    """Each note once, with the rows it is about."""
    shown = shown_metrics(evaluation)
    about: dict[str, list[str]] = {}
    for row in evaluation.rows:
        notes = [f"{metric}: {row.scores[metric].note}" for metric in shown if metric in row.scores]
        for note in (*row.notes, *(note for note in notes if not note.endswith(": "))):
            about.setdefault(note, []).append(row.name)
    return [
        note if len(names) == len(evaluation.rows) > 1 else f"{', '.join(names)}: {note}"
        for note, names in about.items()
    ]


def _format_sizes(sizes_px: Mapping[str, int]) -> str:
    if len(sizes_px) == 1:
        return next(iter(sizes_px))
    return ", ".join(f"{size} ({count})" for size, count in sorted(sizes_px.items(), key=lambda item: -item[1])[:3])
