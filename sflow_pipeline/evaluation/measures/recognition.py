"""``recognition``: agreement of the reference segmenter with the labels, converted images against rendered frames."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measures.scoring_space import ScoringSpace
from sflow_pipeline.evaluation.results.scores import Score, finite
from sflow_pipeline.metrics import Metric, compute_interval, compute_iou, compute_miou, compute_pixel_accuracy

#: Classes of at least this share of the counted pixels are reported if their IoU falls by more than the tolerance.
MIN_CLASS_SHARE = 0.01
IOU_TOLERANCE = 0.03

#: Why a score of confusions has no value.
NOTHING_SCORED = "no label pixel is of a scored class: the labels and the judge have no class in common"

RECOGNITION_METRICS = (
    Metric(
        name="recognition_miou",
        label="recognition",
        protocol="miou of the row less that of the rendered frames it was made from, on the same frames",
        better="higher",
        signed=True,
    ),
    Metric(
        name="recognition_pixel_accuracy",
        label="recognition accuracy",
        protocol="pixel accuracy of the row less that of the rendered frames it was made from, on the same frames",
        better="higher",
        signed=True,
    ),
)


def score_recognition(
    converted: NDArray[np.int64],
    rendered: NDArray[np.int64] | None,
    scoring: ScoringSpace,
    n: int,
    reason: str = "",
) -> dict[str, Score]:
    """Differences of mIoU and pixel accuracy; the interval is a bootstrap over frames, drawn alike on both sides.

    Args:
        converted: (samples, channels, channels) confusions, variants of a sample summed.
        rendered: the same samples in the same order; None where they cannot be had.
        scoring: the scored classes.
        n: pictures.
        reason: for ``rendered`` being None.
    """
    if rendered is None:
        return {metric.name: Score(None, n, note=reason) for metric in RECOGNITION_METRICS}
    channels = scoring.scored_channels
    pairs = np.stack([converted, rendered], axis=1)
    computations: tuple[Callable[[NDArray[np.int64]], float], ...] = (
        lambda counts: compute_miou(counts, channels),
        compute_pixel_accuracy,
    )
    scores = {}
    for metric, compute in zip(RECOGNITION_METRICS, computations, strict=True):

        def differ(counts: NDArray[np.int64], compute: Callable[[NDArray[np.int64]], float] = compute) -> float:
            return compute(counts[0]) - compute(counts[1])

        after, before = (compute(counts) for counts in pairs.sum(axis=0))
        if not np.isfinite([after, before]).all():
            scores[metric.name] = Score(None, n, note=NOTHING_SCORED)
            continue
        scores[metric.name] = Score(
            finite(after - before),
            n,
            compute_interval(pairs, differ),
            note=f"{before:.3f} rendered, {after:.3f} converted",
            details={"rendered": finite(before), "converted": finite(after)},
        )
    falling = find_falling_classes(pairs.sum(axis=0), scoring)
    first = scores[RECOGNITION_METRICS[0].name]
    if falling:
        note = ", ".join(f"{name} {before:.2f} to {after:.2f}" for name, (before, after) in falling.items())
        note = f"{first.note}; classes that fall by more than {IOU_TOLERANCE}: {note}"
        scores[RECOGNITION_METRICS[0].name] = Score(
            first.value, n, first.interval, note=note, details={**first.details, "falling_classes": falling}
        )
    return scores


def find_falling_classes(pair: NDArray[np.int64], scoring: ScoringSpace) -> dict[str, tuple[float, float]]:
    """Classes with enough pixels whose IoU falls by more than the tolerance: name -> (rendered, converted).

    Args:
        pair: (2, channels, channels) confusions, converted first.
        scoring: the scored classes.
    """
    after, before = compute_iou(pair[0]), compute_iou(pair[1])
    shares = pair[0].sum(axis=1) / max(int(pair[0].sum()), 1)
    return {
        scoring.space.classes[channel].name: (float(before[channel]), float(after[channel]))
        for channel in scoring.scored_channels
        if shares[channel] >= MIN_CLASS_SHARE and before[channel] - after[channel] > IOU_TOLERANCE
    }
