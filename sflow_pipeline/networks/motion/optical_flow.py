"""Optical flow of two pictures, by a classical method: dense inverse search (Kroeger et al. 2016) as OpenCV has it."""

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.networks.motion.warping import find_visible


def measure_flow(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w, 2) px from each pixel of ``before`` to its place in ``after``, NaN where ``after`` does not show it.

    Args:
        before, after: (h, w, 3) RGB of one size, at least 8 px on both sides.

    >>> rng = np.random.default_rng(0)
    >>> street = cv2.GaussianBlur(rng.integers(0, 256, (96, 128, 3), np.uint8), (0, 0), 2)
    >>> moved = measure_flow(street[:, 4:], street[:, 2:-2])
    >>> [round(float(value)) for value in np.nanmedian(moved, axis=(0, 1))]
    [2, 0]
    """
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (before, after)]
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    none: Any = None
    forward = np.asarray(method.calc(grey[0], grey[1], none), np.float32)
    backward = np.asarray(method.calc(grey[1], grey[0], none), np.float32)
    visible = find_visible(_as_tensor(forward), _as_tensor(backward))[0, 0].numpy()
    return np.where(visible[..., None], forward, np.float32(np.nan))


def _as_tensor(plane: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(plane.transpose(2, 0, 1)))[None]
