"""Label tables: class ids of label maps whose pixel values are defined frame by frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.label_spaces.color_labels import UNKNOWN_COLOR_ID, LabelReading
from sflow_pipeline.label_spaces.label_space import LabelSpace

Rgba = tuple[int, int, int, int]


@dataclass(frozen=True)
class LabelTable:
    """Meaning of the pixel values of one label file.

    Attributes:
        colors: RGBA -> class name, for labels that are drawn in colours.
        ids: pixel value -> class name, for labels that hold numbers.
        other: class name of every pixel that is in neither.
    """

    colors: Mapping[Rgba, str] = field(default_factory=dict)
    ids: Mapping[int, str] = field(default_factory=dict)
    other: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """The class names in it."""
        return frozenset((*self.colors.values(), *self.ids.values(), *([self.other] if self.other else [])))


def from_table(
    label: NDArray[np.uint8] | NDArray[np.uint16], table: LabelTable, label_space: LabelSpace
) -> LabelReading:
    """Turn pixels into ids of ``label_space`` by class name.

    Args:
        label: (h, w, 3 or 4) uint8 RGB or RGBA (three channels count as opaque), or (h, w) numbers.
        table: the frame's.
        label_space: whose ids to write; names that it lacks become ``UNKNOWN_COLOR_ID``.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> table = LabelTable(colors={(9, 8, 7, 255): "road", (0, 0, 0, 0): "void"})
    >>> from_table(np.array([[[9, 8, 7, 255], [0, 0, 0, 0]]], np.uint8), table, load_label_space("camvid11")).label_map
    array([[ 3, 11]], dtype=uint16)
    """
    id_of_name = {label_class.name: label_class.id for label_class in label_space.classes}
    other = id_of_name.get(table.other, UNKNOWN_COLOR_ID) if table.other else UNKNOWN_COLOR_ID
    is_color = label.ndim == 3
    codes = _pack(label) if is_color else label.astype(np.uint32)
    names = {_code(rgba): name for rgba, name in table.colors.items()} if is_color else dict(table.ids)
    known = np.array(sorted(names), np.uint32)
    ids = np.array([id_of_name.get(names[code], UNKNOWN_COLOR_ID) for code in known.tolist()], np.uint16)
    if not len(known):
        return LabelReading(np.full(codes.shape, other, np.uint16), {})
    position = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    label_map = np.where(known[position] == codes, ids[position], np.uint16(other))
    unknown = {}
    if is_color and int(label_map.max()) == UNKNOWN_COLOR_ID:
        values, counts = np.unique(codes[label_map == UNKNOWN_COLOR_ID], return_counts=True)
        for index in np.argsort(-counts, kind="stable").tolist():
            code = int(values[index])
            unknown[code >> 24, code >> 16 & 255, code >> 8 & 255] = int(counts[index])
    return LabelReading(label_map, unknown)


def _code(rgba: Rgba) -> int:
    return rgba[0] << 24 | rgba[1] << 16 | rgba[2] << 8 | rgba[3]


def _pack(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint32]:
    codes = np.full(pixels.shape[:2], 0, np.uint32)
    for channel in range(4):
        codes <<= 8
        codes |= pixels[..., channel].astype(np.uint32) if channel < pixels.shape[2] else np.uint32(255)
    return codes
