"""Motion-compensated smoothing: an image blended with those before and after it, carried along the motion."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

#: Frames on each side that are blended, and their weights by distance; those of one side add to 1.
REACH = 2
_WEIGHTS = (2 / 3, 1 / 3)
#: Difference of the renders along the motion, in grey levels, at which a weight has fallen to 1/e.
_CONTRAST = 40.0
#: A backward motion that a refinement still moves by more than this, in px, is that of another surface.
_CONVERGED_PX = 0.5


@dataclass(frozen=True)
class Shown:
    """What a frame shows, and how that moves.

    Attributes:
        render: (h, w, 3) uint8 RGB.
        classes: (h, w) uint8.
        motion: (h, w, 2) px from each pixel to its place in the next frame, NaN where it is not known or the surface is
            hidden there; None where there is no next frame.
    """

    render: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    motion: NDArray[np.float32] | None = None

    @cached_property
    def backward(self) -> NDArray[np.float32]:
        """(h, w, 2) px from each pixel of the next frame back to its place in this one, NaN where none is known."""
        assert self.motion is not None
        return invert_motion(self.motion)


@dataclass(frozen=True)
class Path:
    """Where one frame's pixels are in another frame.

    Attributes:
        places: (h, w, 2) x and y in the other frame.
        weight: (h, w) of the other frame's image, 0 where it does not show the same surface.
    """

    places: NDArray[np.float32]
    weight: NDArray[np.float32]


def find_paths(run: Sequence[Shown], index: int) -> dict[int, Path]:
    """The places of a frame's pixels in its neighbours, as offset -> path.

    A neighbour counts where the motion to it is known all the way, the class there is the same, and the renders look
    alike.

    Args:
        run: consecutive frames of one size.
        index: of the frame.
    """
    found = {}
    for direction in (-1, 1):
        places = _build_grid(run[index].classes.shape)
        known = np.ones(run[index].classes.shape, bool)
        for distance in range(1, REACH + 1):
            other = index + direction * distance
            if not 0 <= other < len(run):
                break
            earlier = run[other - 1 if direction > 0 else other]
            if earlier.motion is None:
                break
            places, known = _follow(places, known, earlier.motion if direction > 0 else earlier.backward)
            weight = _WEIGHTS[distance - 1] * _compare(run[index], run[other], places) * known
            found[direction * distance] = Path(places, weight.astype(np.float32))
    return found


def blend(
    image: NDArray[np.uint8], others: Sequence[tuple[NDArray[np.uint8], Path]], share: float
) -> NDArray[np.uint8]:
    """An image, blended with those of its neighbours.

    Args:
        image: (h, w, 3) uint8 RGB.
        others: neighbours' images, and where the image's pixels are in them.
        share: of all neighbours together, where they show the same; what they do not show stays the image's own.

    >>> rng = np.random.default_rng(0)
    >>> noise = [rng.integers(0, 256, (16, 16, 3), np.uint8) for _ in range(5)]
    >>> grey, road = np.full((16, 16, 3), 128, np.uint8), np.zeros((16, 16), np.uint8)
    >>> paths = find_paths([Shown(grey, road, np.zeros((16, 16, 2), np.float32))] * 5, 2)
    >>> smooth = blend(noise[2], [(noise[2 + offset], path) for offset, path in paths.items()], 0.67)
    >>> bool(smooth.std() < 0.6 * noise[2].std())
    True
    """
    change = np.zeros(image.shape, np.float32)
    own = image.astype(np.float32)
    for other, path in others:
        carried = _remap(other.astype(np.float32), path.places, cv2.INTER_CUBIC)
        change += path.weight[..., None] * (carried - own)
    return np.asarray(np.clip(own + share / 2 * change, 0, 255).round(), np.uint8)


def _follow(
    places: NDArray[np.float32], known: NDArray[np.bool_], step: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Places moved on by one frame's motion, and whether they are known and inside the picture."""
    has_value = _find_known(step)
    moved = places + _remap(np.where(has_value[..., None], step, np.float32(0)), places, cv2.INTER_LINEAR)
    # All four pixels between which a place lies must have a value.
    known = known & (_remap(has_value.astype(np.float32), places, cv2.INTER_LINEAR) > 0.99)
    return moved, known & _find_inside(moved)


def _compare(frame: Shown, other: Shown, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) 1 where the other frame shows the same class and looks the same, less the more the renders differ."""
    render = _remap(other.render, places, cv2.INTER_LINEAR)
    classes = _remap(other.classes, places, cv2.INTER_NEAREST)
    difference = cv2.transform(cv2.absdiff(frame.render, render).astype(np.float32), np.full((1, 3), 1 / 3))
    difference = cv2.blur(difference, (3, 3))
    return np.asarray(np.exp(-np.square(difference / _CONTRAST)) * (classes == frame.classes), np.float32)


def _remap(values: NDArray, places: NDArray[np.float32], interpolation: int) -> NDArray:  # type: ignore[type-arg]
    return np.asarray(cv2.remap(values, places, None, interpolation, borderMode=cv2.BORDER_REPLICATE))  # type: ignore[call-overload]


def invert_motion(motion: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, 2) px from each pixel of the later frame back to its place in the earlier one, NaN where none is known.

    Where several surfaces end at one place, the one that moves most is taken: it is mostly the nearest.

    Args:
        motion: (h, w, 2) px from the earlier frame to the later one, NaN where it is not known.

    >>> right = np.full((4, 6, 2), (2.0, 0.0), np.float32)
    >>> invert_motion(right)[1, :, 0].tolist()
    [nan, nan, -2.0, -2.0, -2.0, -2.0]
    """
    height, width = motion.shape[:2]
    known = _find_known(motion)
    vectors = motion[known]
    eighths_px = np.minimum(np.hypot(vectors[:, 0], vectors[:, 1]) * 8, 65535).astype(np.uint16)
    order = np.argsort(eighths_px, kind="stable")
    rows, columns = (axis[order] for axis in np.nonzero(known))
    vectors = vectors[order]
    x = np.rint(columns + vectors[:, 0]).astype(np.int64)
    y = np.rint(rows + vectors[:, 1]).astype(np.int64)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    total = np.zeros((height, width, 2), np.float32)
    total[y[inside], x[inside]] = -vectors[inside]
    hit = np.zeros((height, width), np.float32)
    hit[y[inside], x[inside]] = 1
    # Surfaces that grow leave gaps of a pixel, which take the mean of their neighbours.
    near, count = cv2.blur(total, (3, 3)), cv2.blur(hit, (3, 3))
    filled = np.where(hit[..., None] > 0, total, near / np.maximum(count, 1e-6)[..., None])
    backward = np.where(count[..., None] > 0, filled, np.float32(np.nan))
    filled_motion = np.where(known[..., None], motion, np.float32(np.nan))
    for _ in range(2):
        places = np.nan_to_num(backward) + _build_grid((height, width))
        refined = -cv2.remap(filled_motion, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        moved = np.abs(refined - backward)
        is_near = np.maximum(moved[..., 0], moved[..., 1]) <= 1 + _CONVERGED_PX
        backward = np.where((_find_inside(places) & is_near)[..., None], refined, np.float32(np.nan))
    return np.asarray(backward, np.float32)


def _find_known(motion: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(h, w) where both components are numbers."""
    return np.asarray(np.isfinite(motion[..., 0]) & np.isfinite(motion[..., 1]))


def _find_inside(places: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(h, w) where places are inside the picture."""
    height, width = places.shape[:2]
    x, y = places[..., 0], places[..., 1]
    return np.asarray((x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1))


def _build_grid(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(h, w, 2) each pixel's own place, x then y."""
    height, width = shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([x, y], axis=2)
