"""Thresholds of the gate: the least values of its checks, such that a stated share of real labelled photos passes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle.bundle import Bundle
from sflow_pipeline.bundle.label_agreement import WORKING_HEIGHT_PX, Agreement, AgreementScorer
from sflow_pipeline.bundle.metadata import GateThresholds
from sflow_pipeline.networks.device import Device

if TYPE_CHECKING:
    from torch import Tensor

#: The share of real pairs that passes, where nothing else is asked for.
PASSING_SHARE = 0.99


def measure_thresholds(
    bundle: Bundle,
    segmenter: "Mapping[str, Tensor]",
    pairs: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    device: Device,
) -> GateThresholds:
    """The gate's thresholds on photos (h, w, 3) and their class indices (h, w)."""

    def score(recall: Mapping[str, float] | None) -> list[Agreement]:
        scorer = AgreementScorer(bundle, segmenter, device, recall)
        return [scorer.score([photo], [truth])[0] for photo, truth in pairs]

    recall = measure_recall(score(None))
    return calibrate_gate(score(recall), recall)


def calibrate_gate(
    agreements: Sequence[Agreement], recall: Mapping[str, float], passing_share: float = PASSING_SHARE
) -> GateThresholds:
    """Thresholds such that at least ``passing_share`` of these pairs passes every check.

    Every check gets the same quantile; the highest one that lets enough pairs pass them all.

    Args:
        agreements: of real photos with their true labels, none of which the segmenter was trained on.
        recall: class -> mean recall, by which they were scored.

    >>> pairs = [Agreement(x, x, None, 0.0, {"road": x}, {"pixel_accuracy": x}) for x in (0.5, 0.7, 0.8, 0.9)]
    >>> calibrate_gate(pairs, {}, 0.75).least
    {'pixel_accuracy': 0.7}
    """
    names = list(agreements[0].checks)
    values = np.array([[agreement.checks[name] for name in names] for agreement in agreements])
    ordered = np.sort(values, axis=0)
    # From the strictest rank down; rank 0, the minimum, lets all pass.
    ranks = range(len(values) - 1, -1, -1)
    least = next(ordered[rank] for rank in ranks if (values >= ordered[rank]).all(axis=1).mean() >= passing_share)
    return GateThresholds(
        passing_share=passing_share,
        photos=len(agreements),
        height_px=WORKING_HEIGHT_PX,
        least={name: _round_down(float(value)) for name, value in zip(names, least, strict=True)},
        recall=dict(recall),
    )


def measure_recall(agreements: Iterable[Agreement]) -> dict[str, float]:
    """Class -> its mean recall over the photos where it covers at least 1 %."""
    recall: dict[str, list[float]] = {}
    for agreement in agreements:
        for name, value in agreement.recall.items():
            recall.setdefault(name, []).append(value)
    return {name: round(float(np.mean(values)), 4) for name, values in sorted(recall.items())}


def list_failed_checks(checks: Mapping[str, float], thresholds: GateThresholds) -> list[str]:
    """The checks whose values are below their thresholds."""
    return [name for name, least in thresholds.least.items() if checks[name] < least]


def find_weakest_class(agreement: Agreement, thresholds: GateThresholds | None) -> str | None:
    """The class whose recall falls short of its mean on real photos by most; None where no class is large enough.

    Without thresholds recall alone decides.
    """
    usual = thresholds.recall if thresholds else {}
    shortfall = {name: usual.get(name, 1.0) - value for name, value in agreement.recall.items()}
    return max(shortfall, key=lambda name: shortfall[name], default=None)


def _round_down(value: float) -> float:
    return float(np.floor(value * 1e4) / 1e4)
