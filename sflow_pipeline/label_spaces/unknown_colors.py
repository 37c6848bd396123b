"""Explanation of unknown label colours: blended borders, or red and blue swapped."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.label_spaces.color_labels import UNKNOWN_COLOR_ID, LabelReading
from sflow_pipeline.label_spaces.label_space import Color, LabelSpace

_MIN_BLENDS = 8
_NEARLY_ALL = 0.9
_SHOWN = 3


def explain_unknown_colors(reading: LabelReading, label_space: LabelSpace) -> str:
    """A list of one label's unknown colours and, where recognisable, their cause; "" without unknown colours.

    >>> from sflow_pipeline.label_spaces import from_colors, load_label_space
    >>> space = load_label_space("camvid11")
    >>> explain_unknown_colors(from_colors(np.array([[[0, 128, 128]]], np.uint8), space), space)
    '1 colour of no class: (0, 128, 128); red and blue are swapped, as when a program that reads BGR saves RGB'
    """
    if not reading.unknown_colors:
        return ""
    unknown = reading.unknown_colors
    shown = ", ".join(map(str, list(unknown)[:_SHOWN])) + (", …" if len(unknown) > _SHOWN else "")
    text = f"{len(unknown)} colour{'s' if len(unknown) > 1 else ''} of no class: {shown}"
    if _swapped_share(unknown, label_space) > _NEARLY_ALL:
        return f"{text}; red and blue are swapped, as when a program that reads BGR saves RGB"
    if len(unknown) >= _MIN_BLENDS and _border_share(reading.label_map) > _NEARLY_ALL:
        return (
            f"{text}; nearly all stand where two classes meet: the labels were drawn with anti-aliasing, or resized "
            "with interpolation"
        )
    return text


def _swapped_share(unknown: dict[Color, int], label_space: LabelSpace) -> float:
    known = {color for item in label_space.classes for color in (item.color, *item.also_colors)}
    swapped = sum(pixels for color, pixels in unknown.items() if color[::-1] in known)
    return swapped / sum(unknown.values())


def _border_share(label_map: NDArray[Any]) -> float:
    """Of the unknown pixels, how many have a known one within two pixels."""
    is_unknown = label_map == UNKNOWN_COLOR_ID
    inner = is_unknown.copy()
    for _ in range(2):
        padded = np.pad(inner, 1, constant_values=True)
        inner = inner & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return 1 - float(inner.sum() / is_unknown.sum())
