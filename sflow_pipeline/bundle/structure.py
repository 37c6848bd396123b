"""Structure of an image beside that of the rendered frame it was made from: objects that vanished or came up."""

from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

#: Window of the local correlation, in pixels of the working size.
_WINDOW_PX = 9
#: Variance of luma, 0 to 255, below which a window counts as flat, and agrees with any flat one.
_FLAT = 400.0
#: Regions of a label that are compared as wholes, as shares of the picture.
_OBJECT = (0.0015, 0.12)
#: Windows over which the correlation is averaged, by check.
_SPANS_PX = {"structure": 5, "structure_wide": 13}


def check_structure(
    render: UInt8[NDArray[np.uint8], "h w 3"],
    image: UInt8[NDArray[np.uint8], "h w 3"],
    class_index: UInt8[NDArray[np.uint8], "h w"],
    void_channel: int | None = None,
) -> Mapping[str, float]:
    """Checks of an image that follows its render's detail (appearance 1), at the working size; 1 is the best.

    Returns:
        ``structure``, ``structure_wide``: least correlation of the lumas' local structure over windows of 5 and 13 px;
        ``structure_object``: its least mean over a region of the label that is of an object's size, 1 without one.

    >>> rng = np.random.default_rng(0)
    >>> picture = rng.integers(0, 256, (64, 64, 3), np.uint8)
    >>> check_structure(picture, picture, np.zeros((64, 64), np.uint8))["structure"]
    1.0
    """
    alike = _correlate(_to_luma(render), _to_luma(image))
    checks = {name: round(float(_average(alike, span).min()), 4) for name, span in _SPANS_PX.items()}
    return {**checks, "structure_object": round(_find_worst_object(alike, class_index, void_channel), 4)}


def _find_worst_object(
    alike: Float[NDArray[np.float32], "h w"], class_index: UInt8[NDArray[np.uint8], "h w"], void_channel: int | None
) -> float:
    worst = 1.0
    least, most = (share * class_index.size for share in _OBJECT)
    for channel, pixels in enumerate(np.bincount(class_index.ravel())):
        if channel == void_channel or pixels < least:
            continue
        count, regions, facts, _centres = cv2.connectedComponentsWithStats(
            (class_index == channel).astype(np.uint8),
            ltype=cv2.CV_16U,  # half the time of 32 bits
        )
        for number in range(1, count):
            left, top, width, height, area = facts[number]
            if least <= area <= most:
                place = np.s_[top : top + height, left : left + width]
                worst = min(worst, float(alike[place][regions[place] == number].mean()))
    return worst


def _correlate(a: Float[NDArray[np.float32], "h w"], b: Float[NDArray[np.float32], "h w"]) -> NDArray[np.float32]:
    """Local correlation; flat windows agree with flat ones."""
    mean_a, mean_b = _average(a), _average(b)
    variance_a = np.maximum(_average(a * a) - mean_a * mean_a, 0)
    variance_b = np.maximum(_average(b * b) - mean_b * mean_b, 0)
    covariance = _average(a * b) - mean_a * mean_b
    return np.asarray((covariance + _FLAT) / (np.sqrt(variance_a * variance_b) + _FLAT), np.float32)


def _average(plane: NDArray[np.float32], side: int = _WINDOW_PX) -> NDArray[np.float32]:
    return np.asarray(cv2.boxFilter(plane, -1, (side, side)), np.float32)


def _to_luma(picture: UInt8[NDArray[np.uint8], "h w 3"]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
