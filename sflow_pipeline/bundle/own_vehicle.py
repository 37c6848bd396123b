"""The recording vehicle's own body, found in a label."""

import cv2
import numpy as np
from numpy.typing import NDArray

#: A vehicle that covers this share of the bottom border is the one that carries the camera.
_LEAST_SHARE_OF_BORDER = 0.35


def find_own_vehicle(class_index: NDArray[np.uint8], vehicle_channels: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """(h, w) mask of the own vehicle; None where no vehicle covers 35 % of the bottom border.

    >>> scene = np.zeros((20, 40), np.uint8); scene[15:, 5:30] = 8; scene[3:6, 3:9] = 8
    >>> mask = find_own_vehicle(scene, (8,))
    >>> int(mask.sum()), bool(mask[4, 4])
    (125, False)
    """
    if np.isin(class_index[-1], vehicle_channels).mean() < _LEAST_SHARE_OF_BORDER:
        return None
    is_vehicle = np.isin(class_index, vehicle_channels)
    components = cv2.connectedComponents(is_vehicle.astype(np.uint8), connectivity=8)[1]
    counts = np.bincount(components[-1][is_vehicle[-1]])
    widest = int(counts.argmax())
    if counts[widest] < _LEAST_SHARE_OF_BORDER * class_index.shape[1]:
        return None
    return np.asarray(components == widest)
