"""A small picture of one frame of a dump: its render where it has one, and its label in its label space's colours."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.resize import resize_nearest, resize_picture
from sflow_pipeline.label_spaces import LabelSpace

_WIDTH_PX = 320
#: Ids and colours that the label space lacks stand out.
_UNKNOWN_COLOR = (255, 0, 255)


@dataclass(frozen=True)
class Thumbnail:
    """``picture`` is (h, w, 3) uint8 RGB, render and label side by side; the label alone without a render."""

    sample_id: str
    picture: NDArray[np.uint8]


def draw_thumbnail(
    sample_id: str, render: NDArray[np.uint8] | None, label_map: NDArray[Any], label_space: LabelSpace
) -> Thumbnail:
    """Draw a frame.

    Args:
        sample_id: of the frame.
        render: (h, w, 3) uint8 RGB; None in a dump without pictures.
        label_map: (h, w) ids of ``label_space``.
        label_space: whose colours to draw in.
    """
    colors = np.full((65536, 3), _UNKNOWN_COLOR, np.uint8)
    for label_class in label_space.classes:
        colors[label_class.id] = label_class.color
    size_px = (_WIDTH_PX, max(1, round(label_map.shape[0] * _WIDTH_PX / label_map.shape[1])))
    label = colors[resize_nearest(label_map, size_px)]
    shown = label if render is None else np.concatenate([resize_picture(render, size_px), label], axis=1)
    return Thumbnail(sample_id, shown)
