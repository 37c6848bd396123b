"""Motion-compensated smoothing: the detail of key frames carried along the motion, over a mean of neighbours.

A mean of aligned images holds still, and loses the detail in which they differ. So each image takes that detail from
the key frames before and after it, fading from one to the other with weights whose squares add to 1: it is as strong as
the model painted it, and changes as slowly as the weights do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

#: Every so many frames is a key frame, by the numbers of frames, so that none depends on where a sequence begins.
KEY_EVERY = 4
#: Frames on each side that an image may depend on.
REACH = KEY_EVERY - 1
#: Strength of the detail in which images differ: all of it would flicker a little more, and be a little sharper.
_DETAIL = 0.85
#: Difference of the renders along the motion, in grey levels, at which a weight has fallen to 1/e.
_CONTRAST = 40.0
_ALIKE = np.exp(-np.square(np.arange(256) / _CONTRAST)).astype(np.float32)
_ALIKE[255] = 0
#: What a model paints beside what moves, such as the shadow under a car, must not be carried with the road: difference
#: of images along the motion, in grey levels of means over so many px, at which a weight has fallen to 1/e.
_PAINTED_CONTRAST, _PAINTED_PX = 20.0, 9
#: Distance from outlines, in px, up to which what the model paints beside them is not carried away from them, and how
#: much farther from one a pixel may be than the one that is carried to it; at twice that its weight is 0.
_BESIDE_PX, _FARTHER_PX = 6.0, 1.0
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
    def outline_px(self) -> NDArray[np.float32]:
        """(h, w) px to the nearest border of the label, 6 at most."""
        around = np.ones((3, 3), np.uint8)
        inside = (cv2.erode(self.classes, around) == cv2.dilate(self.classes, around)).astype(np.uint8)
        return np.asarray(np.minimum(cv2.distanceTransform(inside, cv2.DIST_L2, 3), _BESIDE_PX), np.float32)

    @cached_property
    def forward_step(self) -> NDArray[np.float32]:
        """(h, w, 3) x and y px to the next frame, 0 where they are not known, and 1 where they are."""
        assert self.motion is not None
        return _mark_known(self.motion)

    @cached_property
    def backward_step(self) -> NDArray[np.float32]:
        """(h, w, 3) x and y px from each pixel of the next frame back to this one, and 1 where they are known."""
        assert self.motion is not None
        return _mark_known(invert_motion(self.motion))


@dataclass(frozen=True)
class Path:
    """Where one frame's pixels are in another frame.

    Attributes:
        places: (h, w, 2) x and y in the other frame.
        weight: (h, w) of the other frame's image, 0 to 1: 0 where it does not show the same surface.
    """

    places: NDArray[np.float32]
    weight: NDArray[np.float32]


def find_paths(run: Sequence[Shown], index: int) -> dict[int, Path]:
    """The places of a frame's pixels in its neighbours, as offset -> path.

    A neighbour counts where the motion to it is known all the way, the class there and around is the same, and the
    renders look alike.

    Args:
        run: consecutive frames; the motion of one that the next does not follow is None.
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
            places, known = _follow(places, known, earlier.forward_step if direction > 0 else earlier.backward_step)
            found[direction * distance] = Path(places, _compare(run[index], run[other], places, known))
    return found


def blend(
    image: NDArray[np.uint8], others: Mapping[int, tuple[NDArray[np.uint8], Path]], position: int, share: float
) -> NDArray[np.uint8]:
    """An image, blended with those of its neighbours.

    Args:
        image: (h, w, 3) uint8 RGB.
        others: offset -> the neighbour's image, and where the image's pixels are in it.
        position: of the frame, counted in frames; multiples of ``KEY_EVERY`` are key frames.
        share: 0 to 1: of the neighbours, where they show the same; what they do not show stays the image's own.

    >>> rng = np.random.default_rng(0)
    >>> noise = [rng.integers(0, 256, (16, 16, 3), np.uint8) for _ in range(7)]
    >>> grey, road = np.full((16, 16, 3), 128, np.uint8), np.zeros((16, 16), np.uint8)
    >>> paths = find_paths([Shown(grey, road, np.zeros((16, 16, 2), np.float32))] * 7, 3)
    >>> smooth = [blend(noise[3], {o: (noise[3 + o], path) for o, path in paths.items()}, at, 1.0) for at in (0, 1)]
    >>> [round(float(item.std() / noise[3].std()), 1) for item in smooth]
    [0.9, 0.8]
    """
    own = image.astype(np.float32)
    carried = {offset: _remap(other, path.places, cv2.INTER_CUBIC) for offset, (other, path) in others.items()}
    alike = {offset: others[offset][1].weight * share * _agree(image, other) for offset, other in carried.items()}
    change = np.zeros(image.shape, np.float32)
    for offset, weight in _weigh(alike, position).items():
        change += weight[..., None] * (carried[offset] - own)
    return np.asarray(np.clip(own + change, 0, 255).round(), np.uint8)


def _agree(image: NDArray[np.uint8], carried: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w) 1 where two images have the same light over some pixels, less the more they differ."""
    difference = cv2.transform(image.astype(np.float32) - carried, np.full((1, 3), 1 / 3, np.float32))
    light = cv2.blur(difference, (_PAINTED_PX, _PAINTED_PX))
    return np.asarray(np.exp(-np.square(light / _PAINTED_CONTRAST)), np.float32)


def _weigh(alike: Mapping[int, NDArray[np.float32]], position: int) -> dict[int, NDArray[np.float32]]:
    """offset -> (h, w) weight of a neighbour's image; they add to 1 with that of the image itself.

    Args:
        alike: offset -> (h, w) how far it shows the same, 0 to 1.
        position: of the frame.
    """
    if not alike:
        return {}
    shape = next(iter(alike.values())).shape
    since = position % KEY_EVERY
    angle = since / KEY_EVERY * np.pi / 2
    keys = {-since: float(np.cos(angle)), KEY_EVERY - since: float(np.sin(angle))} if since else {0: 1.0}
    whole = np.ones(shape, np.float32)
    detail = {
        offset: (alike[offset] if offset else whole) * np.float32(strength)
        for offset, strength in keys.items()
        if not offset or offset in alike
    }
    # The squares of the weights of detail add to that of ``held``, what is left of it is the image's own.
    held = np.max([alike[offset] if offset else whole for offset in detail], axis=0) if detail else np.zeros_like(whole)
    scale = held / np.sqrt(np.maximum(sum((np.square(part) for part in detail.values()), np.zeros_like(whole)), 1e-12))
    detail = {offset: part * scale * np.float32(_DETAIL) for offset, part in detail.items()}
    rest = _DETAIL * np.sqrt(1 - np.square(held)) + sum(detail.values(), np.zeros_like(whole))
    of_mean = (1 - rest) / (1 + sum(alike.values(), np.zeros_like(whole)))
    return {offset: alike[offset] * of_mean + detail.get(offset, np.float32(0)) for offset in alike}


def _mark_known(motion: NDArray[np.float32]) -> NDArray[np.float32]:
    known = _find_known(motion)[..., None]
    return np.concatenate([np.where(known, motion, np.float32(0)), known.astype(np.float32)], axis=2)


def _follow(
    places: NDArray[np.float32], known: NDArray[np.bool_], step: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Places moved on by one frame's motion, and whether they are known and inside the picture."""
    found = _remap(step, places, cv2.INTER_LINEAR)
    moved = places + found[..., :2]
    # All four pixels between which a place lies must have a value.
    return moved, known & (found[..., 2] > 0.99) & _find_inside(moved)


def _compare(frame: Shown, other: Shown, places: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(h, w) 1 where the other frame shows the same class and looks the same, less the more the renders differ.

    A model paints shades and bright lines beside outlines. These must not be carried with the ground from which the
    outline moves away, so a place nearer to an outline than the pixel itself does not count.
    """
    difference = cv2.absdiff(frame.render, _remap(other.render, places, cv2.INTER_LINEAR))
    difference = cv2.blur(cv2.transform(difference, np.full((1, 3), 1 / 3)), (3, 3))
    same = (_remap(other.classes, places, cv2.INTER_NEAREST) == frame.classes).astype(np.uint8)
    same = cv2.erode(same, np.ones((3, 3), np.uint8))  # outlines stay the image's own
    difference[(same == 0) | ~known] = 255
    farther = frame.outline_px - _remap(other.outline_px, places, cv2.INTER_LINEAR)
    return np.asarray(_ALIKE[difference] * np.clip(2 - farther / _FARTHER_PX, 0, 1), np.float32)


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
