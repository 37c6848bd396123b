"""Agreement of a picture's edges with the borders of its label: low where they show different things."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.resize import resize_nearest, resize_picture

_WIDTH_PX = 512
_CROSS = np.ones((3, 3), np.uint8)
#: Borders on less or more of the picture tell nothing; pictures without flat areas (noise) do not, either.
_LEAST_BORDER, _MOST_BORDER, _LEAST_FLAT = 0.002, 0.5, 0.12


def find_edges(render: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """(h, w) strength of a picture's edges at a width of 512 px at most; None where it has no flat areas, as noise.

    Args:
        render: (h, w, 3) uint8 RGB.
    """
    height, width = render.shape[:2]
    if width > _WIDTH_PX:
        render = resize_picture(render, (_WIDTH_PX, max(1, round(height * _WIDTH_PX / width))))
    gray = cv2.GaussianBlur(render.astype(np.float32).mean(axis=2), (3, 3), 0)
    strength = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    mean = float(strength.mean())
    if mean == 0 or float((strength < 0.25 * mean).mean()) < _LEAST_FLAT:
        return None
    return np.asarray(np.minimum(strength, np.percentile(strength, 97)), np.float32)


def compare_agreement(edges: NDArray[np.float32], own: NDArray[Any], other: NDArray[Any]) -> tuple[float, float] | None:
    """Mean strength of edges on the borders that only one of two labels has, relative to the whole picture.

    Args:
        edges: of ``find_edges``.
        own, other: (h, w) class ids of one size.

    Returns:
        of ``own`` and of ``other``; about 1 for a label that has nothing to do with the picture. None where the labels
        hardly differ, or have too few borders or too many.
    """
    size_px = (edges.shape[1], edges.shape[0])
    if own.shape != other.shape:
        return None
    near = [_find_borders(resize_nearest(label, size_px)) for label in (own, other)]
    alone = near[0] & ~near[1], near[1] & ~near[0]
    mean = float(edges.mean())
    if mean == 0 or any(not _LEAST_BORDER < float(mask.mean()) < _MOST_BORDER for mask in alone):
        return None
    return float(edges[alone[0]].mean()) / mean, float(edges[alone[1]].mean()) / mean


def _find_borders(label_map: NDArray[Any]) -> NDArray[np.bool_]:
    border = np.zeros(label_map.shape, np.uint8)
    border[:, 1:] |= label_map[:, 1:] != label_map[:, :-1]
    border[1:] |= label_map[1:] != label_map[:-1]
    return cv2.dilate(border, _CROSS).astype(bool)
