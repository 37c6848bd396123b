"""CARLA version detection from the tags of a few labels and their place in the picture."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.label_spaces import LabelEncoding, LabelSpace, load_label_space
from sflow_pipeline.simulators.label_sample import detect_label_encoding

#: Label space -> the CARLA versions that write it.
VERSIONS = {"carla-0.9.9": "0.9.9 or older", "carla-0.9.13": "0.9.10 to 0.9.13", "carla-0.9.14": "0.9.14 or newer"}
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


def identify_version(sample: Sequence[NDArray[Any]], encoding: LabelEncoding | None = None) -> TagEvidence:
    """Find the CARLA version whose tags put sky at the top and road at the bottom of the sampled labels.

    Versions that lack an id or colour that occurs are ruled out first.

    Args:
        sample: (h, w) ids or (h, w, 3) RGB arrays.
        encoding: how they hold ids; detected where None.
    """
    encoding = encoding or detect_label_encoding(sample)
    spaces = {name: load_label_space(name) for name in VERSIONS}
    known, scores = {}, {}
    for name, space in spaces.items():
        ids = [_to_ids(label, space, encoding) for label in sample]
        real = [label_class.id for label_class in space.classes if not label_class.derived]
        known[name] = float(np.mean([np.isin(label, real).mean() for label in ids])) if ids else 0.0
        tops = [np.isin(label[: len(label) // 3], _SKY_IDS[name]).mean() for label in ids]
        bottoms = [np.isin(label[-len(label) // 3 :], _ROAD_IDS[name]).mean() for label in ids]
        scores[name] = float(np.mean(tops) + np.mean(bottoms)) if ids else 0.0
    best_known = max(known.values())
    fitting = [name for name in VERSIONS if known[name] > best_known - 0.001]
    fitting.sort(key=lambda name: -scores[name])
    if best_known < 0.5:
        return TagEvidence(encoding, None, False, "no CARLA version has the ids or colours of its labels")
    best = fitting[0]
    rivals = fitting[1:]
    if encoding == "palette" and best != "carla-0.9.9":
        rivals = [name for name in rivals if name == "carla-0.9.9"]  # a colour means the same from 0.9.10 on
    margin = scores[best] - max((scores[name] for name in rivals), default=0.0)
    is_sure = best_known > 0.999 and margin > 0.1
    unknown = f", {1 - best_known:.1%} of the pixels unknown" if best_known < 0.999 else ""
    text = (
        f"{_ENCODING_TEXT[encoding]} of CARLA {VERSIONS[best]}: its sky and road fill {scores[best] / 2:.0%} of the "
        f"top and bottom thirds of {len(sample)} labels{unknown}"
    )
    return TagEvidence(encoding, best, is_sure, text)


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
