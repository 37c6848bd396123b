"""Colour labels: class ids read from label maps whose colours stand for classes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.label_spaces.label_space import Color, LabelSpace

#: The id of a pixel whose colour no class has; it is in no label space, so a mapping cannot let it pass.
UNKNOWN_COLOR_ID = 65535


@dataclass(frozen=True)
class LabelReading:
    """Class ids read from colours.

    Attributes:
        label_map: (h, w) uint8 or uint16 ids; ``UNKNOWN_COLOR_ID`` where no class has the colour.
        unknown_colors: such colours, RGB -> pixels, most frequent first.
    """

    label_map: NDArray[np.uint8] | NDArray[np.uint16]
    unknown_colors: dict[Color, int]


def from_colors(rgb: NDArray[np.uint8], label_space: LabelSpace) -> LabelReading:
    """Read a palette label: every pixel's exact colour names its class.

    Args:
        rgb: (h, w, 3) uint8 RGB.
        label_space: whose colours; where classes share one, the first of them is read.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> from_colors(np.array([[[70, 130, 180], [1, 2, 3]]], np.uint8), load_label_space("cityscapes34"))
    LabelReading(label_map=array([[   23, 65535]], dtype=uint16), unknown_colors={(1, 2, 3): 1})
    """
    codes = rgb[..., 0].astype(np.uint32)
    codes <<= 8
    codes |= rgb[..., 1]
    codes <<= 8
    codes |= rgb[..., 2]
    label_map = _id_of_color(label_space)[codes]
    unknown: dict[Color, int] = {}
    if label_map.size and int(label_map.max()) == UNKNOWN_COLOR_ID:
        values, counts = np.unique(codes[label_map == UNKNOWN_COLOR_ID], return_counts=True)
        for index in np.argsort(-counts, kind="stable"):
            code = int(values[index])
            unknown[code >> 16, code >> 8 & 255, code & 255] = int(counts[index])
    return LabelReading(label_map, unknown)


@lru_cache(maxsize=2)  # 32 MB each, and a job reads one or two label spaces
def _id_of_color(label_space: LabelSpace) -> NDArray[np.uint16]:
    table = np.full(1 << 24, UNKNOWN_COLOR_ID, np.uint16)
    for label_class in reversed(label_space.classes):
        for red, green, blue in (*label_class.also_colors, label_class.color):
            table[red << 16 | green << 8 | blue] = label_class.id
    table.setflags(write=False)
    return table
