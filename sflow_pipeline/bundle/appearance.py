"""Appearance of an image: whether a render can be followed, and how far colours are moved towards those of photos."""

import hashlib

import cv2
import numpy as np
from numpy.typing import NDArray

#: A render whose brightness varies less than this, in grey levels, shows nothing that could be followed.
_LEAST_SPREAD = 2.0
#: Range of ``photo_colors`` of the variants after the first.
_VARIANT_RANGE = (0.2, 0.6)


def is_blank(render: NDArray[np.uint8]) -> bool:
    """Whether a render (h, w, 3) is black, white or of one colour throughout.

    >>> is_blank(np.zeros((8, 8, 3), np.uint8)), is_blank(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
    (True, False)
    """
    step = max(1, min(render.shape[:2]) // 128)
    _mean, spread = cv2.meanStdDev(np.ascontiguousarray(render[::step, ::step]))
    return bool(spread.max() < _LEAST_SPREAD)


def draw_photo_colors(seed: int, sequence_id: str, variant: int, first: float) -> float:
    """How far the class colours of a variant are moved to its palette's, the same for every frame of a sequence.

    Args:
        first: of variant 0; those of later variants are drawn from 0.2 to 0.6.

    >>> draw_photo_colors(0, "town01", 0, 0.25)
    0.25
    >>> 0.2 <= draw_photo_colors(0, "town01", 1, 0.25) <= 0.6
    True
    """
    if variant == 0:
        return first
    identity = hashlib.sha256(f"photo colors\n{seed}\n{sequence_id}\n{variant}".encode()).digest()
    low, high = _VARIANT_RANGE
    # Rounded to what the rows hold, so that an image can be made again from its row.
    return float(np.float32(np.random.default_rng(int.from_bytes(identity[:8], "big")).uniform(low, high)))
