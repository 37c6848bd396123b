"""Interface of a measure: what it takes from each picture, and the scores that follow."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.evaluation.photo_source import LabelledPhoto, PhotoSource
from sflow_pipeline.evaluation.results.scores import ClassScore, Score
from sflow_pipeline.metrics import Metric

#: What a measure takes from a picture; only the measure itself looks into it.
Evidence: TypeAlias = Any
Observe: TypeAlias = Callable[[LabelledPhoto], Evidence]


@dataclass
class Observations:
    """Everything that was measured on one set of pictures.

    Attributes:
        source: the pictures.
        is_oracle: whether they are the real photos.
        sample_ids: of every picture; variants of a sample repeat it.
        sizes_px: ``WxH`` -> pictures.
        evidence: name of a measure -> one entry per picture.
        rendered: the same for the rendered frames that the pictures were made from.
        why_not_rendered: reason for ``rendered`` being None where it should not be.
    """

    source: PhotoSource
    is_oracle: bool = False
    sample_ids: list[str] = field(default_factory=list)
    sizes_px: Counter[str] = field(default_factory=Counter)
    evidence: dict[str, list[Evidence]] = field(default_factory=dict)
    rendered: "Observations | None" = None
    why_not_rendered: str = ""

    @property
    def n(self) -> int:
        """Number of pictures."""
        return len(self.sample_ids)


@dataclass(frozen=True)
class MeasureResult:
    """Scores of a row by metric name, and what else its report gains."""

    scores: dict[str, Score]
    classes: tuple[ClassScore, ...] = ()
    notes: tuple[str, ...] = ()


class Measure(Protocol):
    """A measure of pictures with all its metrics. A new one is a module here and an entry in ``registry.py``."""

    @property
    def name(self) -> str:
        """Key of its evidence."""

    @property
    def metrics(self) -> Sequence[Metric]:
        """In the order of the table's columns."""

    @property
    def needs_rendered(self) -> bool:
        """Whether it also measures the rendered frames that pictures were made from."""

    def describe(self) -> dict[str, Any]:
        """Its part of the protocol, JSON-like."""

    def start(self, source: PhotoSource, count: int) -> Observe:
        """Begin with a set of ``count`` pictures; the function is called with each, in order."""

    def score(self, row: Observations, table: Sequence[Observations]) -> MeasureResult:
        """Scores of one row.

        Args:
            row: one of ``table``.
            table: every row, the oracle last.
        """


def observe_all(
    row: Observations, measures: Iterable[Measure], limit: int | None, on_photo: Callable[[], None]
) -> Observations:
    """Read every picture once and let every measure take its evidence.

    Raises:
        FrameError: a picture or label cannot be read.
        UsageError: a network does not do what its description says.
    """
    count = min(len(row.source), limit or len(row.source))
    observers = {measure.name: measure.start(row.source, count) for measure in measures}
    row.evidence = {name: [] for name in observers}
    for photo in islice(row.source.read(), count):
        height, width = photo.label_map.shape
        row.sample_ids.append(photo.sample_id)
        row.sizes_px[f"{width}x{height}"] += 1
        for name, observe in observers.items():
            row.evidence[name].append(observe(photo))
        on_photo()
    return row


def sum_by_sample(sample_ids: Sequence[str], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(samples, …) sums of (n, …) counts: variants of a sample, which share a label, are one draw of a bootstrap."""
    order = {sample_id: index for index, sample_id in enumerate(dict.fromkeys(sample_ids))}
    sums = np.zeros((len(order), *counts.shape[1:]), np.int64)
    np.add.at(sums, [order[sample_id] for sample_id in sample_ids], counts)
    return sums
