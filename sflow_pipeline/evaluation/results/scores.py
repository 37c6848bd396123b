"""Results of an evaluation: one row per set of pictures, one score per metric, and the protocol they share."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sflow_pipeline.metrics import Metric

METRICS_FORMAT_VERSION = 1


@dataclass(frozen=True)
class Score:
    """A number and its uncertainty.

    Attributes:
        value: None where there is none (no such class, too few images); ``note`` gives the reason.
        n: images it was computed from.
        interval: 95 % bootstrap interval over images, None where resampling would bias it.
        spread: standard deviation over subsets, for kernel distances.
        note: remark for readers.
        details: the numbers behind it, JSON-like.
    """

    value: float | None
    n: int
    interval: tuple[float, float] | None = None
    spread: float | None = None
    note: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClassScore:
    """A class of a row.

    Attributes:
        name: of the class.
        iou: None where no pixel of it was true.
        interval: as in ``Score``.
        truth_share: of the row's counted pixels.
        rendered_iou: IoU on the rendered frames that the row was made from; None without them.
    """

    name: str
    iou: float | None
    interval: tuple[float, float] | None
    truth_share: float
    rendered_iou: float | None = None

    @property
    def is_absent(self) -> bool:
        """Whether no pixel of the row is of this class."""
        return self.truth_share == 0.0


@dataclass(frozen=True)
class TableRow:
    """One set of pictures.

    Attributes:
        name: in tables, unique.
        role: ``dataset``, ``photos`` (a folder that is compared), or ``oracle`` (the real photos themselves).
        uri: its folder.
        n: images.
        sizes_px: ``WxH`` -> images.
        label_space: of its labels.
        scores: by metric name.
        classes: IoU of every scored class.
        facts: statements of the source about itself.
        notes: remarks for readers.
    """

    name: str
    role: Literal["dataset", "photos", "oracle"]
    uri: str
    n: int
    sizes_px: Mapping[str, int]
    label_space: str
    scores: Mapping[str, Score]
    classes: tuple[ClassScore, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """Rows that were measured alike.

    Attributes:
        protocol: networks, label space, intervals: everything that must be the same to compare numbers.
        rows: datasets in the order given, the oracle last.
        metrics: of the rows' scores, in the order of the table's columns.
        edges: edge statistics by row name, and their distances to the real photos; empty where not asked for.
    """

    protocol: Mapping[str, Any]
    rows: tuple[TableRow, ...]
    metrics: tuple[Metric, ...] = ()
    edges: Mapping[str, Any] = field(default_factory=dict)

    @property
    def oracle(self) -> TableRow:
        """The row of the real photos."""
        return next(row for row in self.rows if row.role == "oracle")

    @property
    def shown_metrics(self) -> list[Metric]:
        """Metrics that some row has, less those whose column would repeat another's."""
        scored = [metric for metric in self.metrics if any(metric.name in row.scores for row in self.rows)]
        return [metric for metric in scored if not self._repeats(metric)]

    def share_of_oracle(self, row: TableRow, metric: str) -> float | None:
        """A score over the oracle's, where both exist (the paper's reading of a segmentation score)."""
        score, best = row.scores.get(metric), self.oracle.scores.get(metric)
        if score is None or best is None or score.value is None or not best.value:
            return None
        return score.value / best.value

    def to_dict(self) -> dict[str, Any]:
        """JSON-like content; NaN is never in it."""
        described = []
        for row in self.rows:
            content = asdict(row)
            content["share_of_oracle"] = {
                metric.name: self.share_of_oracle(row, metric.name)
                for metric in self.metrics
                if metric.better == "higher"
                and row.role != "oracle"
                and metric.name in row.scores
                and metric.name in self.oracle.scores
            }
            described.append(content)
        return {
            "format_version": METRICS_FORMAT_VERSION,
            "protocol": dict(self.protocol),
            "rows": described,
            "edges": dict(self.edges),
        }

    def _repeats(self, metric: Metric) -> bool:
        other = metric.omitted_if_equal_to
        return bool(other) and all(
            row.scores[metric.name].value == row.scores[other].value
            for row in self.rows
            if metric.name in row.scores and other in row.scores
        )


def finite(value: float) -> float | None:
    """The number, None where it is not finite.

    >>> finite(float("nan")), finite(0.5)
    (None, 0.5)
    """
    return value if math.isfinite(value) else None
