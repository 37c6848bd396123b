"""CARLA version detection from the tags of a few labels and their place in the picture."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.label_spaces import LabelEncoding, LabelSpace, load_label_space
from sflow_pipeline.simulators.label_sample import detect_label_encoding

#: Label space -> the CARLA versions that write it.
VERSIONS = {"carla-0.9.9": "0.9.9 or older", "carla-0.9.13": "0.9.10 to 0.9.13", "carla-0.9.14": "0.9.14 or newer"}
#: Tables that lack fewer of the pixels than this have all ids; another table's sky and road count from this lead up.
_FEW, _BETTER = 0.001, 0.3
#: Sky in the top thirds and road in the bottom thirds together, below which a table shows no street scene.
_NO_SCENE = 0.02
_SHOWN_STRAYS = 6
_SKY_IDS = {"carla-0.9.9": (0,), "carla-0.9.13": (13,), "carla-0.9.14": (11,)}
_ROAD_IDS = {"carla-0.9.9": (6, 7), "carla-0.9.13": (6, 7), "carla-0.9.14": (1, 24)}


@dataclass(frozen=True)
class TagEvidence:
    """Result of the version detection.

    Attributes:
        encoding: how ids are stored.
        label_space: the version that fits best, None where nothing fits.
        is_sure: False where another version fits about as well.
        text: the evidence, for people.
    """

    encoding: LabelEncoding
    label_space: str | None
    is_sure: bool
    text: str


@dataclass(frozen=True)
class _Fit:
    """How well one version's table explains the sample; shares of its pixels, 0 to 1."""

    name: str
    known: float
    sky: float
    road: float
    strays: Mapping[int, float]

    @property
    def score(self) -> float:
        return self.sky + self.road

    def describe(self) -> str:
        strays = ", ".join(f"{tag} ({share:.2%})" for tag, share in list(self.strays.items())[:_SHOWN_STRAYS])
        return (
            f"{self.name} has {self.known:.2%} of the pixels, its sky {self.sky:.0%} of the top and its road "
            f"{self.road:.0%} of the bottom thirds{f', and lacks {strays}' if strays else ''}"
        )


def identify_version(sample: Sequence[NDArray[Any]], encoding: LabelEncoding | None = None) -> TagEvidence:
    """Find the CARLA version whose tags put sky at the top and road at the bottom of the sampled labels.

    The tables that have every id or colour come first. Tags whose best such table leaves neither sky nor road, or puts
    them elsewhere than a table that lacks a few of the pixels only, are of no known version: nothing is guessed then.

    Args:
        sample: (h, w) ids or (h, w, 3) RGB arrays.
        encoding: how they hold ids; detected where None.
    """
    encoding = encoding or detect_label_encoding(sample)
    fits = [_measure(name, sample, encoding) for name in VERSIONS]
    best_known = max(fit.known for fit in fits)
    if best_known < 0.5:
        return TagEvidence(
            encoding, None, False, f"no CARLA version has the ids or colours of its labels{_cause(sample)}"
        )
    fitting = sorted((fit for fit in fits if fit.known > best_known - _FEW), key=lambda fit: -fit.score)
    best, rivals = fitting[0], fitting[1:]
    if encoding != "palette":
        other = max(fits, key=lambda fit: fit.score)
        if other.score > best.score + _BETTER or best.score < _NO_SCENE:
            candidates = "; ".join(fit.describe() for fit in sorted(fits, key=lambda fit: -fit.score))
            text = f"no CARLA version explains the tags of {len(sample)} labels: {candidates}"
            return TagEvidence(encoding, None, False, text)
    elif best.name != "carla-0.9.9":
        rivals = [fit for fit in rivals if fit.name == "carla-0.9.9"]  # a colour means the same from 0.9.10 on
    margin = best.score - max((fit.score for fit in rivals), default=0.0)
    is_sure = best_known > 1 - _FEW and margin > 0.1
    unknown = f", {1 - best_known:.1%} of the pixels unknown" if best_known < 1 - _FEW else ""
    text = (
        f"{_ENCODING_TEXT[encoding]} of CARLA {VERSIONS[best.name]}: its sky and road fill {best.score / 2:.0%} of the "
        f"top and bottom thirds of {len(sample)} labels{unknown}"
    )
    return TagEvidence(encoding, best.name, is_sure, text)


def _measure(name: str, sample: Sequence[NDArray[Any]], encoding: LabelEncoding) -> _Fit:
    if not sample:
        return _Fit(name, 0.0, 0.0, 0.0, {})
    space = load_label_space(name)
    ids = [_to_ids(label, space, encoding) for label in sample]
    real = [label_class.id for label_class in space.classes if not label_class.derived]
    pixels = sum(label.size for label in ids)
    strays: Counter[int] = Counter()
    for label in ids:
        values, counts = np.unique(label[~np.isin(label, real)], return_counts=True)
        strays.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return _Fit(
        name,
        known=float(np.mean([np.isin(label, real).mean() for label in ids])),
        sky=float(np.mean([np.isin(label[: len(label) // 3], _SKY_IDS[name]).mean() for label in ids])),
        road=float(np.mean([np.isin(label[-len(label) // 3 :], _ROAD_IDS[name]).mean() for label in ids])),
        strays={tag: count / pixels for tag, count in strays.most_common()},
    )


def _cause(sample: Sequence[NDArray[Any]]) -> str:
    """A known cause of labels that no table explains, where it shows."""
    colors = [label for label in sample if label.ndim == 3]
    if colors and all(not label[..., :2].any() and label[..., 2].any() for label in colors):
        return "; only their blue channel is used: red and blue are swapped, as when a program that reads BGR saves RGB"
    return ""


def count_versions(sample: Sequence[NDArray[Any]]) -> Counter[str]:
    """Label space -> how many of the sampled labels are clearly of that version, each judged by itself."""
    verdicts = [identify_version([label]) for label in sample]
    return Counter(str(verdict.label_space) for verdict in verdicts if verdict.is_sure)


_ENCODING_TEXT: dict[LabelEncoding, str] = {
    "ids": "ids",
    "red_channel": "tags in the red channel",
    "rgb_ids": "ids in three channels",
    "palette": "colours",
}


def _to_ids(label: NDArray[Any], space: LabelSpace, encoding: LabelEncoding) -> NDArray[Any]:
    if label.ndim == 2:
        return label
    if encoding != "palette":
        return label[..., 0]
    codes = label.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    ids = np.full(codes.shape, -1, np.int32)
    for label_class in reversed(space.classes):
        for red, green, blue in (*label_class.also_colors, label_class.color):
            if not label_class.derived:
                ids[codes == (red << 16 | green << 8 | blue)] = label_class.id
    return ids
