"""Thresholds of the gate: the least values of its checks, such that a stated share of real labelled photos passes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle.bundle import Bundle
from sflow_pipeline.bundle.combined_check import combine_checks, measure_usual_checks
from sflow_pipeline.bundle.contradictions import measure_confusion
from sflow_pipeline.bundle.label_agreement import WORKING_HEIGHT_PX, Agreement, AgreementScorer, reduce_pair
from sflow_pipeline.bundle.metadata import GateThresholds, UsualAgreement
from sflow_pipeline.bundle.structure import check_structure
from sflow_pipeline.networks.device import Device

if TYPE_CHECKING:
    from torch import Tensor

#: The share of real pairs that passes, where nothing else is asked for.
PASSING_SHARE = 0.99
#: Thresholds lie below the chosen quantile by this share of its distance to the median: the worst of a few dozen photos
#: is not the worst there is.
_MARGIN = 0.1
#: Thresholds of what an image keeps of its render lie below the median by so many times the distance from there to the
#: 5 % quantile, which the lowest photo of a few dozen does not move: of one source of photos these values lie close
#: together, and what both have of each other is less in flat renders.
_SPREADS = {"structure_kept": 3.0, "structure_object": 3.0, "structure_alike": 2.0}

_Pairs = Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]]


def measure_thresholds(
    bundle: Bundle, segmenter: "Mapping[str, Tensor]", pairs: _Pairs, device: Device
) -> GateThresholds:
    """The gate's thresholds on photos (h, w, 3) and their class indices (h, w).

    Where the bundle's images follow their renders' appearance, photos are converted, too, as renders would be, and
    ``structure`` checks are measured between each photo and what became of it.
    """

    def score(usual: UsualAgreement | None) -> list[Agreement]:
        scorer = AgreementScorer(bundle, segmenter, device, usual)
        return [scorer.score([photo], [truth])[0] for photo, truth in pairs]

    first = score(None)
    usual = UsualAgreement(
        recall=measure_recall(first), confusion=measure_confusion(agreement.contradictions for agreement in first)
    )
    checks = [agreement.checks for agreement in score(usual)]
    usual_checks = measure_usual_checks(checks)
    least = choose_least([{**each, "together": combine_checks(each, usual_checks)} for each in checks])
    if bundle.recipe.generator.use_appearance:
        least |= choose_least(_check_conversions(bundle, pairs, device))
    return GateThresholds(
        passing_share=PASSING_SHARE,
        photos=len(pairs),
        height_px=WORKING_HEIGHT_PX,
        least=least,
        recall=usual.recall,
        confusion=usual.confusion,
        checks=usual_checks,
    )


def choose_least(checks: Sequence[Mapping[str, float]], passing_share: float = PASSING_SHARE) -> dict[str, float]:
    """Check -> least value, such that at least ``passing_share`` of these pairs pass every check.

    Every check gets the same quantile, the highest one that lets enough pairs pass them all, less its margin; checks of
    structure lie further below, by their spread.

    Args:
        checks: of real photos with their true labels, none of which the segmenter was trained on.

    >>> choose_least([{"miou": x} for x in (0.5, 0.7, 0.8, 0.9)], 0.75)
    {'miou': 0.6949}
    """
    names = list(checks[0])
    values = np.array([[check[name] for name in names] for check in checks])
    ordered = np.sort(values, axis=0)
    # From the strictest rank down; rank 0, the minimum, lets all pass.
    ranks = range(len(values) - 1, -1, -1)
    least = next(ordered[rank] for rank in ranks if (values >= ordered[rank]).all(axis=1).mean() >= passing_share)
    median, low = np.median(values, axis=0), np.quantile(values, 0.05, axis=0)
    spreads = np.array([_SPREADS.get(name, np.nan) for name in names])
    least = np.fmin(least - _MARGIN * np.maximum(median - least, 0), median - spreads * (median - low))
    return {name: _round_down(float(value)) for name, value in zip(names, least, strict=True)}


def measure_recall(agreements: Iterable[Agreement]) -> dict[str, float]:
    """Class -> its mean recall over the photos where it covers at least 1 %."""
    recall: dict[str, list[float]] = {}
    for agreement in agreements:
        for name, value in agreement.recall.items():
            recall.setdefault(name, []).append(value)
    return {name: round(float(np.mean(values)), 4) for name, values in sorted(recall.items())}


def list_failed_checks(checks: Mapping[str, float], thresholds: GateThresholds) -> list[str]:
    """The checks whose values are below their thresholds; checks that were not made pass."""
    return [name for name, least in thresholds.least.items() if name in checks and checks[name] < least]


def find_weakest_class(agreement: Agreement, thresholds: GateThresholds | None) -> str | None:
    """The class whose recall falls short of its mean on real photos by most; None where no class is large enough.

    Without thresholds recall alone decides.
    """
    usual = thresholds.recall if thresholds else {}
    shortfall = {name: usual.get(name, 1.0) - value for name, value in agreement.recall.items()}
    return max(shortfall, key=lambda name: shortfall[name], default=None)


def _check_conversions(bundle: Bundle, pairs: _Pairs, device: Device) -> list[Mapping[str, float]]:
    checks = []
    for photo, truth in pairs:
        image = bundle.paint(photo, truth, label_space=bundle.label_space, device=device.name)
        reduced, label = reduce_pair(photo, truth)
        checks.append(check_structure(reduced, reduce_pair(image, truth)[0], label, bundle.label_space.void_channel))
    return checks


def _round_down(value: float) -> float:
    return float(np.floor(value * 1e4) / 1e4)
