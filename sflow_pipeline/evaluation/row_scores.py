"""From what was measured on one set of pictures to its scores."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measurement import Measurement
from sflow_pipeline.evaluation.scores import ClassScore, Score, finite
from sflow_pipeline.evaluation.scoring_space import ScoringSpace
from sflow_pipeline.metrics import (
    METRICS,
    compute_diversity,
    compute_frechet,
    compute_interval,
    compute_iou,
    compute_kernel_distance,
    compute_miou,
    compute_pixel_accuracy,
)


def score_segmentation(found: Measurement, scoring: ScoringSpace, common: Sequence[int]) -> dict[str, Score]:
    """Accuracy and mean IoU.

    Args:
        found: with confusions.
        scoring: the classes.
        common: channels of the classes that occur in the truth of every row of the table.
    """
    total = found.confusions.sum(axis=0)
    scored = scoring.scored_channels
    # The set of classes stays the row's own in every draw of the bootstrap, whichever of them the draw happens to have.
    absent = [scoring.space.classes[channel].name for channel in scored if not total[channel].any()]
    note = f"absent from the truth and left out: {', '.join(absent)}" if absent else ""

    def mean_all(counts: NDArray[np.int64]) -> float:
        return compute_miou(counts, scored)

    def mean_common(counts: NDArray[np.int64]) -> float:
        return compute_miou(counts, common)

    return {
        "pixel_accuracy": Score(
            finite(compute_pixel_accuracy(total)), found.n, compute_interval(found.confusions, compute_pixel_accuracy)
        ),
        "miou": Score(finite(mean_all(total)), found.n, compute_interval(found.confusions, mean_all), note=note),
        "miou_common": Score(
            finite(mean_common(total)),
            found.n,
            compute_interval(found.confusions, mean_common),
            note=f"over {len(common)} classes",
        ),
    }


def describe_classes(found: Measurement, scoring: ScoringSpace) -> tuple[ClassScore, ...]:
    """IoU of every scored class, in the label space's order."""
    total = found.confusions.sum(axis=0)
    iou = compute_iou(total)
    shares = total.sum(axis=1) / max(int(total.sum()), 1)
    classes = []
    for channel in scoring.scored_channels:

        def score(counts: NDArray[np.int64], channel: int = channel) -> float:
            return float(compute_iou(counts)[channel])

        interval = compute_interval(found.confusions, score)
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
    scores = {}
    if reference is not None:
        name = METRICS["frechet_<extractor>"].name_with(extractor)
        if min(found.n, reference.n) < 2:
            scores[name] = Score(None, found.n, note="fewer than 2 images")
        else:
            value = compute_frechet(found.features, reference.features)
            scores[name] = Score(value, found.n, note=_warn_of_bias(found, reference))
            name = METRICS["kernel_<extractor>"].name_with(extractor)
            kernel = compute_kernel_distance(found.features, reference.features)
            how = f"{kernel.subsets} subsets of {kernel.subset_size} images"
            scores[name] = Score(kernel.value, found.n, spread=kernel.spread, note=how)
    name = METRICS["diversity_<extractor>"].name_with(extractor)
    scores[name] = Score(finite(compute_diversity(found.features)), found.n)
    variants = compute_diversity(found.features, found.sample_ids)
    if not np.isnan(variants):
        scores[METRICS["variant_diversity_<extractor>"].name_with(extractor)] = Score(variants, found.n)
    return scores


def _warn_of_bias(found: Measurement, reference: Measurement) -> str:
    note = f"against {reference.n} photos; no interval, because drawing images twice biases it"
    size = found.features.shape[1]
    if min(found.n, reference.n) <= size:
        note += f"; fewer images than the {size} dimensions: biased upwards, comparable at equal counts only"
    return note
