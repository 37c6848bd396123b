"""Agreement of the reference segmenter with the labels, on pictures and on the rendered frames they were made from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measures.measure import MeasureResult, Observations, Observe, sum_by_sample
from sflow_pipeline.evaluation.measures.recognition import NOTHING_SCORED, RECOGNITION_METRICS, score_recognition
from sflow_pipeline.evaluation.measures.scoring_space import build_scoring_space
from sflow_pipeline.evaluation.photo_source import LabelledPhoto, PhotoSource
from sflow_pipeline.evaluation.reference_networks.segmenter import ReferenceSegmenter
from sflow_pipeline.evaluation.results.scores import ClassScore, Score, finite
from sflow_pipeline.label_spaces import UNMAPPED, LabelSpace, build_mapping
from sflow_pipeline.metrics import (
    CONFUSION_METRICS,
    ConfusionMetric,
    compute_interval,
    compute_iou,
    count_confusion,
)

#: A judge that agrees with less of the real photos' labels was not made for them, or they are read in a wrong way.
_POOR_ACCURACY = 0.5


class PictureCounts(NamedTuple):
    """Evidence of one picture.

    Attributes:
        confusion: (channels, channels) counts.
        pixels, unknown_pixels: all label pixels, and those whose id the label space does not have.
        excluded: pixels of every class that the judge cannot predict, by name.
    """

    confusion: NDArray[np.int64]
    pixels: int
    unknown_pixels: int
    excluded: Mapping[str, int]


class Segmentation:
    """See ``Measure``.

    Args:
        segmenter: the reference segmenter.
        space: label space to score in.
    """

    name = "segmentation"
    metrics = (*CONFUSION_METRICS, *RECOGNITION_METRICS)
    needs_rendered = True

    def __init__(self, segmenter: ReferenceSegmenter, space: LabelSpace) -> None:
        self._segmenter = segmenter
        self._scoring = build_scoring_space(space, segmenter.label_space, segmenter.classes)

    def describe(self) -> dict[str, Any]:
        """See ``Measure``."""
        scoring = self._scoring
        return {
            "judge": {
                **self._segmenter.spec.describe(self._segmenter.digest),
                "label_space": self._segmenter.label_space.name,
                "answer": "scores enlarged bilinearly to the label's size, then the highest",
            },
            "score_space": {
                "name": scoring.space.name,
                "digest": scoring.space.digest,
                "scored": [scoring.space.classes[channel].name for channel in scoring.scored_channels],
                "excluded": list(scoring.excluded),
            },
        }

    def start(self, source: PhotoSource, count: int) -> Observe:  # noqa: ARG002  every picture is taken
        """See ``Measure``."""
        known = build_mapping(source.label_space, self._scoring.space).table

        def observe(photo: LabelledPhoto) -> PictureCounts:
            height, width = photo.label_map.shape
            truth = self._scoring.map_truth(photo.label_map, source.label_space)
            predicted = self._scoring.map_prediction(self._segmenter.predict(photo.photo, (width, height)))
            confusion = count_confusion(truth, predicted, self._scoring.num_channels, self._scoring.void)
            unknown = int((known[photo.label_map] == UNMAPPED).sum())
            excluded = self._scoring.count_excluded(photo.label_map, source.label_space)
            return PictureCounts(confusion, truth.size, unknown, excluded)

        return observe

    def score(self, row: Observations, table: Sequence[Observations]) -> MeasureResult:
        """See ``Measure``."""
        common = set(self._scoring.scored_channels)
        for other in table:
            common &= set(np.flatnonzero(self._stack(other).sum(axis=(0, 2))).tolist())
        by_sample = sum_by_sample(row.sample_ids, self._stack(row))
        scores = self._score_confusions(by_sample, row.n, sorted(common))
        rendered = None
        if row.rendered is not None:
            rendered = sum_by_sample(row.rendered.sample_ids, self._stack(row.rendered))
            order = {sample_id: index for index, sample_id in enumerate(dict.fromkeys(row.rendered.sample_ids))}
            rendered = rendered[[order[sample_id] for sample_id in dict.fromkeys(row.sample_ids)]]
        if rendered is not None or row.why_not_rendered:
            scores |= score_recognition(by_sample, rendered, self._scoring, row.n, row.why_not_rendered)
        return MeasureResult(scores, self._describe_classes(by_sample, rendered), tuple(self._list_notes(row)))

    def _stack(self, row: Observations) -> NDArray[np.int64]:
        return np.stack([counts.confusion for counts in row.evidence[self.name]])

    def _score_confusions(self, by_sample: NDArray[np.int64], n: int, common: Sequence[int]) -> dict[str, Score]:
        total = by_sample.sum(axis=0)
        scored = self._scoring.scored_channels
        absent = [self._scoring.space.classes[channel].name for channel in scored if not total[channel].any()]
        scores = {}
        for metric in CONFUSION_METRICS:
            channels = scored if metric.classes == "row" else common

            def compute(
                counts: NDArray[np.int64], metric: ConfusionMetric = metric, channels: Sequence[int] = channels
            ) -> float:
                return metric.compute(counts, channels)

            note = f"over {len(common)} classes" if metric.classes == "every_row" else ""
            if metric.name == "miou" and absent:
                note = f"absent from the truth and left out: {', '.join(absent)}"
            value = finite(compute(total))
            if value is None:
                scores[metric.name] = Score(None, n, note=self._explain_missing(total, metric))
                continue
            scores[metric.name] = Score(value, n, compute_interval(by_sample, compute), note=note)
        return scores

    def _explain_missing(self, total: NDArray[np.int64], metric: ConfusionMetric) -> str:
        if total.any() and metric.classes == "every_row":
            return "no class occurs in the labels of every row"
        return NOTHING_SCORED

    def _describe_classes(
        self, by_sample: NDArray[np.int64], rendered: NDArray[np.int64] | None
    ) -> tuple[ClassScore, ...]:
        total = by_sample.sum(axis=0)
        iou = compute_iou(total)
        before = None if rendered is None else compute_iou(rendered.sum(axis=0))
        shares = total.sum(axis=1) / max(int(total.sum()), 1)
        classes = []
        for channel in self._scoring.scored_channels:

            def compute(counts: NDArray[np.int64], channel: int = channel) -> float:
                return float(compute_iou(counts)[channel])

            classes.append(
                ClassScore(
                    self._scoring.space.classes[channel].name,
                    finite(float(iou[channel])),
                    compute_interval(by_sample, compute),
                    float(shares[channel]),
                    None if before is None else finite(float(before[channel])),
                )
            )
        return tuple(classes)

    def _list_notes(self, row: Observations) -> list[str]:
        notes = []
        space = row.source.label_space
        pixels = sum(counts.pixels for counts in row.evidence[self.name])
        unknown = sum(counts.unknown_pixels for counts in row.evidence[self.name])
        if unknown:
            notes.append(f"{unknown / pixels:.2%} of the label pixels hold ids outside {space.name}: not scored")
        excluded: Counter[str] = Counter()
        for counts in row.evidence[self.name]:
            excluded.update(counts.excluded)
        if excluded:
            names = ", ".join(name for name, _count in excluded.most_common())
            share = excluded.total() / pixels
            notes.append(f"the judge cannot predict {names}: {share:.2%} of the label pixels are not scored")
        confusion = self._stack(row).sum(axis=0)
        accuracy = float(np.trace(confusion)) / max(int(confusion.sum()), 1)
        if row.is_oracle and confusion.any() and accuracy < _POOR_ACCURACY:
            notes.append(
                f"the judge agrees with {accuracy:.0%} of these labels, so its word on other pictures says little: "
                f"check the label space of the photos ({space.name}; `sflow-pipeline inspect` shows them) and the "
                "judge's label space and input range"
            )
        reachable = {entry.target_name for entry in build_mapping(space, self._scoring.space).rows}
        scored = [self._scoring.space.classes[channel].name for channel in self._scoring.scored_channels]
        unlabelled = [name for name in scored if name not in reachable]
        if unlabelled:
            notes.append(
                f"labels in {space.name} do not distinguish {', '.join(unlabelled)}: "
                "predictions of these count as wrong"
            )
        return notes
