"""From what was measured on one set of pictures to its scores."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measures.measurement import Measurement
from sflow_pipeline.evaluation.measures.scoring_space import ScoringSpace
from sflow_pipeline.evaluation.results.scores import ClassScore, Score, finite
from sflow_pipeline.metrics import FEATURE_METRICS, JUDGE_METRICS, FeatureSets, compute_interval, compute_iou
from sflow_pipeline.metrics.registry import JudgeMetric


def score_segmentation(found: Measurement, scoring: ScoringSpace, common: Sequence[int]) -> dict[str, Score]:
    """Accuracy and mean IoU.

    Args:
        found: with confusions.
        scoring: the classes.
        common: channels of the classes that occur in the truth of every row of the table.
    """
    by_sample = found.sum_by_sample()
    total = by_sample.sum(axis=0)
    scored = scoring.scored_channels
    absent = [scoring.space.classes[channel].name for channel in scored if not total[channel].any()]
    scores = {}
    for metric in JUDGE_METRICS.values():
        channels = scored if metric.classes == "row" else common

        def score(counts: NDArray[np.int64], metric: JudgeMetric = metric, channels: Sequence[int] = channels) -> float:
            return metric.compute(counts, channels)

        note = f"over {len(common)} classes" if metric.classes == "every_row" else ""
        if metric.name == "miou" and absent:
            note = f"absent from the truth and left out: {', '.join(absent)}"
        interval = compute_interval(by_sample, score)
        scores[metric.name] = Score(finite(score(total)), found.n, interval, note=note)
    return scores


def describe_classes(found: Measurement, scoring: ScoringSpace) -> tuple[ClassScore, ...]:
    """IoU of every scored class, in the label space's order."""
    by_sample = found.sum_by_sample()
    total = by_sample.sum(axis=0)
    iou = compute_iou(total)
    shares = total.sum(axis=1) / max(int(total.sum()), 1)
    classes = []
    for channel in scoring.scored_channels:

        def score(counts: NDArray[np.int64], channel: int = channel) -> float:
            return float(compute_iou(counts)[channel])

        interval = compute_interval(by_sample, score)
        name = scoring.space.classes[channel].name
        classes.append(ClassScore(name, finite(float(iou[channel])), interval, float(shares[channel])))
    return tuple(classes)


def score_features(found: Measurement, reference: Measurement | None, extractor: str) -> dict[str, Score]:
    """Distances to the real photos and diversity.

    Args:
        found: with features.
        reference: of the real photos; None for the real photos themselves, which have diversity alone.
        extractor: its name, which becomes part of the metrics' names.
    """
    sets = FeatureSets(found.features, found.sample_ids, None if reference is None else reference.features)
    scores = {}
    for metric in FEATURE_METRICS.values():
        measured = metric.compute(sets)
        if measured is not None:
            scores[metric.name_with(extractor)] = Score(
                finite(measured.value), found.n, spread=measured.spread, note=measured.note
            )
    return scores
