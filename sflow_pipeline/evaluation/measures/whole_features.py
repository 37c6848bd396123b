"""Distances to the real photos and diversity, over features of whole pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measures.measure import MeasureResult, Observations, Observe
from sflow_pipeline.evaluation.photo_source import LabelledPhoto, PhotoSource
from sflow_pipeline.evaluation.reference_networks.extractor import Extractor
from sflow_pipeline.evaluation.results.scores import Score, finite
from sflow_pipeline.metrics import FEATURE_METRICS, FeatureSets


class WholeFeatures:
    """See ``Measure``.

    Args:
        extractor: the feature extractor.
    """

    name = "features"
    needs_rendered = False

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor
        self.metrics = tuple(metric.over(extractor.name) for metric in FEATURE_METRICS)

    def describe(self) -> dict[str, Any]:
        """See ``Measure``."""
        return {"extractor": self._extractor.spec.describe(self._extractor.digest)}

    def start(self, source: PhotoSource, count: int) -> Observe:  # noqa: ARG002  every picture is taken
        """See ``Measure``."""

        def observe(photo: LabelledPhoto) -> NDArray[np.float32]:
            return self._extractor.extract(photo.photo)

        return observe

    def score(self, row: Observations, table: Sequence[Observations]) -> MeasureResult:
        """See ``Measure``; the real photos themselves have diversity alone."""
        reference = None if row.is_oracle else np.stack(table[-1].evidence[self.name])
        sets = FeatureSets(np.stack(row.evidence[self.name]), row.sample_ids, reference)
        scores = {}
        network = f"{self._extractor.name}, sha256 {self._extractor.digest[:12]}"
        for metric, named in zip(FEATURE_METRICS, self.metrics, strict=True):
            if metric.known_as and reference is not None:
                needed = metric.count_needed(self._extractor.name, sets.features.shape[1])
                if min(row.n, len(reference)) < needed:
                    note = f"{row.n} images and {len(reference)} photos: at least {needed} of each are needed"
                    scores[named.name] = Score(None, row.n, note=note)
                    continue
            measured = metric.compute(sets)
            if measured is not None:
                value = finite(measured.value)
                note = f"{measured.note}; {network}" if measured.note else network
                scores[named.name] = Score(value, row.n, measured.interval, measured.spread, note)
        return MeasureResult(scores)
