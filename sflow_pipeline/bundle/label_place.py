"""Place of a label in its picture: whether it fits better than the same label a little further left or right."""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8
from numpy.typing import NDArray
from torch import Tensor

from sflow_pipeline.bundle.label_likelihood import score_label

#: How far the label is moved, as a share of the height: 16 px of CamVid's 360.
_SHIFT = 16 / 360
#: Fewer pixels on boundaries say nothing.
_FEWEST_PX = 30


def compare_moved(position: Tensor, labelled: Tensor, log_probability: Tensor) -> Tensor:
    """(b,) by how much the label is more probable in its place than moved; arguments as in ``label_likelihood``."""
    height, width = position.shape[1:]
    step = _count_steps(height, width)
    if step < 1:
        return torch.zeros(len(position), device=position.device)
    gains = []
    for inner, moved in ((slice(step, None), slice(None, -step)), (slice(None, -step), slice(step, None))):
        there = log_probability[..., inner]
        gains.append(
            score_label(position[..., inner], labelled[..., inner], there)
            - score_label(position[..., moved], labelled[..., moved], there)
        )
    return torch.minimum(*gains)


def compare_moved_edges(
    picture: UInt8[NDArray[np.uint8], "h w 3"],
    class_index: UInt8[NDArray[np.uint8], "h w"],
    labelled: Bool[NDArray[np.bool_], "h w"],
) -> float:
    """By how much upright edges are stronger on the label's boundaries than on the moved ones, in standard deviations.

    It needs no segmenter. 0 where the label has next to no upright boundaries.

    >>> label = np.zeros((60, 80), np.uint8); label[:, 40:] = 1
    >>> picture = np.repeat(label[..., None] * 100, 3, axis=2)
    >>> right, moved = (compare_moved_edges(picture, each, each < 9) for each in (label, np.roll(label, -3, axis=1)))
    >>> right > 0.5 > -0.5 > moved
    True
    """
    height, width = class_index.shape
    step = _count_steps(height, width)
    boundary = np.zeros(class_index.shape, np.bool_)
    boundary[:, 1:] = (class_index[:, 1:] != class_index[:, :-1]) & labelled[:, 1:] & labelled[:, :-1]
    boundary[:, : step + 1] = boundary[:, width - step - 1 :] = False
    rows, columns = np.nonzero(boundary)
    if step < 1 or len(rows) < _FEWEST_PX:
        return 0.0
    luma = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1)
    edges = np.log1p(np.abs(cv2.Sobel(luma, -1, 1, 0)))
    spread = float(edges.std()) + 1e-3
    edges = np.asarray(cv2.dilate(edges, np.ones((1, 3), np.uint8)))
    here = edges[rows, columns].mean()
    return float(min(here - edges[rows, columns + moved].mean() for moved in (step, -step)) / spread)


def _count_steps(height: int, width: int) -> int:
    return min(max(1, round(_SHIFT * height)), width - 1)
