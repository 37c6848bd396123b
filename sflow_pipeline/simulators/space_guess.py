"""Guesses of the label space that a few labels follow, from their ids and from where sky and road lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import DumpError
from sflow_pipeline.label_spaces import LabelEncoding, LabelSpace, from_colors, list_label_spaces, load_label_space
from sflow_pipeline.simulators.label_rules import LABEL_RULES, RULE_OF_SPACE
from sflow_pipeline.simulators.label_sample import detect_label_encoding, read_label_sample
from sflow_pipeline.simulators.stated_facts import FILE_NAME

#: A label space that has so many of the pixels has all ids, but for damage.
SURE = 0.99
_SHOWN = 4


@dataclass(frozen=True)
class SpaceGuess:
    """How well a label space explains labels: share of the pixels it has, and of sky above and road below.

    Attributes:
        known: share of the pixels whose ids it has.
        sky, road: share of sky in the top thirds, of road in the bottom thirds.
    """

    name: str
    known: float
    sky: float = 0.0
    road: float = 0.0

    @property
    def scene(self) -> float:
        """Both together, from 0 to 2."""
        return self.sky + self.road


def guess_label_space(sample: Sequence[NDArray[Any]], encoding: LabelEncoding) -> list[SpaceGuess]:
    """Every label space by how well it explains a few labels, best first.

    Args:
        sample: (h, w) ids or (h, w, 3) RGB.
        encoding: how they hold ids.
    """
    guesses = []
    for name in list_label_spaces():
        space = load_label_space(name)
        guesses.append(measure_label_space(space, [_read(label, space, encoding) for label in sample]))
    return sorted(guesses, key=lambda guess: (-round(guess.known, 2), -guess.scene, guess.name))


def measure_label_space(space: LabelSpace, maps: Sequence[NDArray[Any]]) -> SpaceGuess:
    """How well a label space explains (h, w) maps of class ids; its label rule may find the sky."""
    if not maps:
        return SpaceGuess(space.name, 0.0)
    rule = RULE_OF_SPACE.get(space.name)
    ids = [item.id for item in space.classes if not item.derived]
    known = float(np.mean([np.isin(label, ids).mean() for label in maps]))
    sky = [item.id for item in space.classes if item.concepts[0] == "sky"]
    road = [item.id for item in space.classes if item.concepts[0].startswith("flat.road")]
    maps = [LABEL_RULES[rule](label) for label in maps] if rule and known > SURE else maps
    tops = [np.isin(label[: max(1, len(label) // 3)], sky).mean() for label in maps]
    bottoms = [np.isin(label[-max(1, len(label) // 3) :], road).mean() for label in maps]
    return SpaceGuess(space.name, known, float(np.mean(tops)), float(np.mean(bottoms)))


def _read(label: NDArray[Any], space: LabelSpace, encoding: LabelEncoding) -> NDArray[Any]:
    if label.ndim == 2:
        return label
    if encoding == "palette" and label.dtype == np.uint8:
        return np.asarray(from_colors(label, space).label_map)
    return label[..., 0]


def describe_guesses(guesses: Sequence[SpaceGuess]) -> str:
    """The best of them with their shares, "" where none has half of the pixels.

    >>> describe_guesses([SpaceGuess("gta", 1.0, 0.5, 0.7), SpaceGuess("viper", 0.2)])
    'gta (100.0% of the pixels, sky and road 60%)'
    """
    return ", ".join(
        f"{guess.name} ({guess.known:.1%} of the pixels, sky and road {guess.scene / 2:.0%})"
        for guess in guesses[:_SHOWN]
        if guess.known > 0.5
    )


def build_unstated_error(root: str, paths: Sequence[str], encoding: LabelEncoding | None) -> DumpError:
    """The error of a dump for whose labels no label space is stated, with those that explain them.

    Args:
        root: the dump's folder.
        paths: its labels.
        encoding: how they hold ids; detected where None.
    """
    sample = read_label_sample(root, paths)
    shares = describe_guesses(guess_label_space(sample, encoding or detect_label_encoding(sample))) if sample else ""
    known = f"; those that explain the labels: {shares}" if shares else ""
    return DumpError(
        f"dump {root}: no label space is stated for its labels",
        hint=f"name the label space with --label-space, or as label_space: in {FILE_NAME}{known}",
    )
