"""What an evaluation found: one row per set of pictures, one score per metric, and the protocol they share."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Score:
    """A number and how sure it is.

    Attributes:
        value: None where it means nothing (no such class, too few images); ``note`` says why.
        interval: 95 % bootstrap interval over images, None where resampling would bias it.
        spread: standard deviation over subsets, for kernel distances.
        n: images it was computed from.
        note: what a reader should know.
    """

    value: float | None
    n: int
    interval: tuple[float, float] | None = None
    spread: float | None = None
    note: str = ""


@dataclass(frozen=True)
class ClassScore:
    """A class of a row: ``iou`` is None where no pixel of it was true (``is_absent``)."""

    name: str
    iou: float | None
    interval: tuple[float, float] | None
    truth_share: float

    @property
    def is_absent(self) -> bool:
        """Whether no pixel of the row is of this class."""
        return self.truth_share == 0.0


@dataclass(frozen=True)
class Row:
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
        facts: what the source says about itself.
        notes: what a reader should know.
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
        protocol: judge, extractor, label space, intervals: everything that must be the same to compare numbers.
        rows: datasets in the order given, the oracle last.
        edges: edge statistics by row name, and their distances to the real photos; empty where not asked for.
    """

    protocol: Mapping[str, Any]
    rows: tuple[Row, ...]
    edges: Mapping[str, Any] = field(default_factory=dict)

    @property
    def oracle(self) -> Row:
        """The row of the real photos."""
        return next(row for row in self.rows if row.role == "oracle")

    @property
    def metric_names(self) -> list[str]:
        """Every metric that some row has, in order."""
        return list(dict.fromkeys(name for row in self.rows for name in row.scores))

    def share_of_oracle(self, row: Row, metric: str) -> float | None:
        """A score over the oracle's, where both exist.

        The paper's reading of a segmentation score: how much of what the judge sees in photos it sees here.
        """
        score, best = row.scores.get(metric), self.oracle.scores.get(metric)
        if score is None or best is None or score.value is None or not best.value:
            return None
        return score.value / best.value

    def to_dict(self, rows: tuple[Row, ...] | None = None) -> dict[str, Any]:
        """JSON-like content; NaN is never in it."""
        described = []
        for row in rows if rows is not None else self.rows:
            content = asdict(row)
            content["share_of_oracle"] = {
                metric: self.share_of_oracle(row, metric)
                for metric in ("pixel_accuracy", "miou", "miou_common")
                if row.role != "oracle" and metric in row.scores
            }
            described.append(content)
        return {
            "format_version": FORMAT_VERSION,
            "protocol": dict(self.protocol),
            "rows": described,
            "edges": dict(self.edges),
        }


def finite(value: float) -> float | None:
    """The number, None where it is none.

    >>> finite(float("nan")), finite(0.5)
    (None, 0.5)
    """
    return value if math.isfinite(value) else None
