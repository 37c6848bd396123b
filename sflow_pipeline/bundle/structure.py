"""Structure of an image beside that of the rendered frame it was made from: objects that vanished or came up."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

#: Windows, in pixels of the working size, in which structure is compared, and over which the result is averaged.
_LOST_PX, _LOST_SPAN_PX = 5, 9
_CHANGED_PX, _CHANGED_SPAN_PX = 3, 3
#: Variance of luma, 0 to 255, that a picture's noise has: what correlates with it explains nothing.
_NOISE = 25.0
#: Variance below which a window counts as flat, and has little to lose or to change; less so within an object.
_FLAT_LOST, _FLAT_LOST_OBJECT, _FLAT_CHANGED = 300.0, 60.0, 200.0
#: Regions of a label that are compared as wholes, as shares of the picture.
_OBJECT = (0.002, 0.12)


def check_structure(
    render: UInt8[NDArray[np.uint8], "h w 3"],
    image: UInt8[NDArray[np.uint8], "h w 3"],
    class_index: UInt8[NDArray[np.uint8], "h w"],
    void_channel: int | None = None,
) -> Mapping[str, float]:
    """Checks of an image that follows its render's detail (appearance 1), at the working size; 1 is the best.

    Generators add contrast to flat and dark places, so a low correlation alone says little. What the render shows and
    the image does not is rare: the part of the render's local variance that the image does not explain.

    Returns:
        ``structure_kept``: least share of the render's local structure that is in the image, mean over windows of 9 px;
        ``structure_object``: its least mean over a region of the label that is of an object's size, 1 without one;
        ``structure_alike``: least share of the local structure of both that the other one has, too, over 3 px.

    >>> rng = np.random.default_rng(0)
    >>> picture = rng.integers(0, 256, (64, 64, 3), np.uint8)
    >>> check_structure(picture, 255 - picture, np.zeros((64, 64), np.uint8))["structure_kept"] < 0.2
    True
    """
    a, b = _to_luma(render), _to_luma(image)
    planes = (a, b, a * a, b * b, a * b)
    variance, other, shared = _compare(planes, _LOST_PX)
    lost = _find_unexplained(variance, other, shared)
    missing = lost / (variance + _FLAT_LOST)
    object_missing = lost / (variance + _FLAT_LOST_OBJECT)
    variance, other, shared = _compare(planes, _CHANGED_PX)
    changed = _find_unexplained(variance, other, shared) + _find_unexplained(other, variance, shared)
    changed /= variance + other + _FLAT_CHANGED
    worst = {
        "structure_kept": float(_average(missing, _LOST_SPAN_PX).max()),
        "structure_object": _find_worst_object(object_missing, class_index, void_channel),
        "structure_alike": float(_average(changed, _CHANGED_SPAN_PX).max()),
    }
    return {name: round(1 - value, 4) for name, value in worst.items()}


def _compare(planes: Sequence[NDArray[np.float32]], side: int) -> tuple[NDArray[np.float32], ...]:
    """Local variances of two lumas, and the square of their covariance where it is positive.

    Args:
        planes: the two, their squares, and their product.
    """
    mean_a, mean_b, square_a, square_b, product = (_average(plane, side) for plane in planes)
    covariance = np.maximum(product - mean_a * mean_b, 0)
    square_a -= mean_a * mean_a
    square_b -= mean_b * mean_b
    return np.maximum(square_a, 0), np.maximum(square_b, 0), covariance * covariance


def _find_unexplained(
    variance: NDArray[np.float32], other: NDArray[np.float32], shared: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The part of a variance that a positive correlation with the other picture does not explain."""
    return np.asarray(np.maximum(variance - shared / (other + _NOISE), 0), np.float32)


def _find_worst_object(
    missing: Float[NDArray[np.float32], "h w"], class_index: UInt8[NDArray[np.uint8], "h w"], void_channel: int | None
) -> float:
    worst = 0.0
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
                worst = max(worst, float(missing[place][regions[place] == number].mean()))
    return worst


def _average(plane: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    return np.asarray(cv2.boxFilter(plane, -1, (side, side)), np.float32)


def _to_luma(picture: UInt8[NDArray[np.uint8], "h w 3"]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
