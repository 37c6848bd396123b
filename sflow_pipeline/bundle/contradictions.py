"""Contradictions: connected regions where the segmenter says something else than the label, and how sure it is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy.typing import NDArray

#: Smaller regions, as a share of the picture, are not looked at: borders between classes are never exact.
_SMALLEST_SHARE = 0.001
#: Slivers narrower than this are borders, too; regions lose a row and a column of pixels to it.
_NARROWEST = np.ones((2, 2), np.uint8)
#: Added to the usual strength of every pair of classes, so that a pair that was never confused can fail.
_FLOOR = 0.15


class Contradiction(NamedTuple):
    """One region.

    Attributes:
        labelled, called: names of the class of most of its pixels in the label, and of the segmenter's class.
        strength: mean difference of the log-probabilities of the two, times the fourth root of the region's share of
            the picture.
    """

    labelled: str
    called: str
    strength: float


def find_contradictions(
    gap: Float[NDArray[np.float32], "h w"],
    predicted: UInt8[NDArray[np.uint8], "h w"],
    truth: UInt8[NDArray[np.uint8], "h w"],
    labelled: Bool[NDArray[np.bool_], "h w"],
    names: Sequence[str],
) -> list[Contradiction]:
    """The regions of a picture, in no order.

    Args:
        gap: log-probability of the predicted class above that of the labelled one.
        predicted, truth: positions in ``names``.
        labelled: where ``truth`` holds.

    >>> truth = np.zeros((20, 20), np.uint8); predicted = truth.copy(); predicted[5:10, 5:10] = 1
    >>> gap = np.full((20, 20), 2.0, np.float32)
    >>> find_contradictions(gap, predicted, truth, truth == 0, ["road", "car"])
    [Contradiction(labelled='road', called='car', strength=0.8944)]
    """
    wrong = labelled & (predicted != truth)
    found = []
    least = _SMALLEST_SHARE * truth.size
    for called in np.flatnonzero(np.bincount(predicted[wrong]) >= least).tolist():
        mask = (wrong & (predicted == called)).astype(np.uint8)
        mask &= np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, _NARROWEST), np.uint8)
        count, regions, facts, _centres = cv2.connectedComponentsWithStats(mask, ltype=cv2.CV_16U)
        for number in range(1, count):
            left, top, width, height, area = facts[number]
            if area < least:
                continue
            place = np.s_[top : top + height, left : left + width]
            inside = regions[place] == number
            usual = int(np.bincount(truth[place][inside]).argmax())
            strength = float(gap[place][inside].mean()) * float(area / truth.size) ** 0.25
            found.append(Contradiction(names[usual], names[called], round(strength, 4)))
    return found


def measure_confusion(photos: Iterable[Sequence[Contradiction]]) -> dict[str, dict[str, float]]:
    """Labelled class -> called class -> usual strength in real photos: root mean square of each photo's strongest."""
    strongest: dict[tuple[str, str], list[float]] = {}
    count = 0
    for contradictions in photos:
        count += 1
        here: dict[tuple[str, str], float] = {}
        for item in contradictions:
            key = (item.labelled, item.called)
            here[key] = max(here.get(key, 0.0), item.strength)
        for key, value in here.items():
            strongest.setdefault(key, []).append(value)
    table: dict[str, dict[str, float]] = {}
    for (labelled, called), values in sorted(strongest.items()):
        table.setdefault(labelled, {})[called] = round(float(np.sqrt(np.square(values).sum() / count)), 4)
    return table


def compare_with_usual(
    contradictions: Iterable[Contradiction], confusion: Mapping[str, Mapping[str, float]] | None
) -> float:
    """The strongest contradiction relative to what is usual for its classes; 0 where there is none.

    A segmenter that often takes poles for buildings says little by doing so, one that never takes cars for road much.

    >>> compare_with_usual([Contradiction("road", "car", 0.6)], {"road": {"car": 0.15}})
    2.0
    """
    usual = confusion or {}
    return max(
        (item.strength / (usual.get(item.labelled, {}).get(item.called, 0.0) + _FLOOR) for item in contradictions),
        default=0.0,
    )


def compare_with_render(
    contradictions: Iterable[Contradiction],
    of_render: Iterable[Contradiction],
    confusion: Mapping[str, Mapping[str, float]],
) -> float:
    """As ``compare_with_usual`` of an image that follows its render, where the render's own contradictions are usual.

    What the segmenter takes for another class in the render, too, such as a trunk without bark for a pedestrian, the
    image has not lost.

    >>> trunk = Contradiction("tree", "pedestrian", 0.9)
    >>> compare_with_usual([trunk], {}), round(compare_with_render([trunk], [trunk], {}), 2)
    (6.0, 0.86)
    """
    usual = {labelled: dict(row) for labelled, row in confusion.items()}
    for item in of_render:
        row = usual.setdefault(item.labelled, {})
        row[item.called] = max(row.get(item.called, 0.0), item.strength)
    return compare_with_usual(contradictions, usual)
