"""Motion-compensated smoothing: an image blended with the one before it, carried along the simulator's flow."""

import cv2
import numpy as np
from numpy.typing import NDArray

#: Difference of the renders along the motion, in grey levels, at which the share has fallen to 1/e of that.
_CONTRAST = 20.0
#: Neighbourhood whose colours limit the carried image, in how many standard deviations, and a difference that is free.
_NEIGHBOURHOOD_PX = (9, 9)
_SPREADS, _FREE = 1.25, 2.0
#: A backward motion that a refinement still moves by more than this, in px, is that of another surface.
_CONVERGED_PX = 0.5


def smooth_along_motion(
    image: NDArray[np.uint8],
    previous: NDArray[np.uint8],
    motion: NDArray[np.float32],
    renders: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    classes: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    share: float,
) -> NDArray[np.uint8]:
    """An image, blended with the previous one where both frames show the same surface.

    That is where the flow is known, the class is the same, and the renders look alike along the flow. Elsewhere the
    image stays as it is, so that nothing is carried over a border of the label.

    Args:
        image, previous: (h, w, 3) uint8 RGB; ``previous`` is smoothed itself.
        motion: (h, w, 2) px from each pixel of the previous frame to its place in this one, NaN where it is not known
            or the surface is hidden here.
        renders, classes: of the previous frame and of this one, (h, w, 3) and (h, w).
        share: of the previous image where both show the same; about what is left of a change of texture is 1 - share.

    >>> rng = np.random.default_rng(0)
    >>> flat = np.full((16, 16, 3), 128, np.uint8), np.full((16, 16, 3), 128, np.uint8)
    >>> same = np.zeros((16, 16), np.uint8), np.zeros((16, 16), np.uint8)
    >>> still, noisy = np.zeros((16, 16, 2), np.float32), rng.integers(0, 256, (16, 16, 3), np.uint8)
    >>> grey = smooth_along_motion(noisy, flat[0], still, flat, same, 0.8)
    >>> bool(grey.std() < 0.3 * noisy.std())
    True
    """
    backward = invert_motion(motion)
    known = np.asarray(np.isfinite(backward).all(axis=2))
    places = _add_grid(np.where(known[..., None], backward, 0))
    carried = cv2.remap(previous.astype(np.float32), places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    carried = _clip_to_neighbourhood(carried, image)
    before = cv2.remap(renders[0].astype(np.float32), places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    there = cv2.remap(classes[0], places, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    difference = cv2.blur(np.abs(renders[1] - before).mean(axis=2), (3, 3))
    weight = share * np.exp(-np.square(difference / _CONTRAST)) * (known & (there == classes[1]))
    blended = image + weight[..., None] * (carried - image)
    return np.asarray(np.clip(blended, 0, 255).round(), np.uint8)


def _clip_to_neighbourhood(carried: NDArray[np.float32], image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The carried image within what the image shows around each pixel: mean and spread (variance clipping, Salvi 2016).

    Shadows and reflections that were painted beside an object would otherwise stay on the ground when it drives on.
    """
    picture = image.astype(np.float32)
    mean = cv2.blur(picture, _NEIGHBOURHOOD_PX)
    spread = np.sqrt(np.maximum(cv2.blur(picture * picture, _NEIGHBOURHOOD_PX) - mean * mean, 0))
    reach = _SPREADS * spread + _FREE
    return np.asarray(np.clip(carried, mean - reach, mean + reach), np.float32)


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
    known = np.asarray(np.isfinite(motion).all(axis=2))
    vectors = motion[known]
    order = np.argsort(np.square(vectors).sum(axis=1), kind="stable")
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
        places = _add_grid(np.nan_to_num(backward))
        refined = -cv2.remap(filled_motion, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        outside = (places < 0).any(axis=2) | (places[..., 0] > width - 1) | (places[..., 1] > height - 1)
        moved = np.abs(refined - backward).max(axis=2)
        backward = np.where((outside | ~(moved <= 1 + _CONVERGED_PX))[..., None], np.float32(np.nan), refined)
    return np.asarray(backward, np.float32)


def _add_grid(motion: NDArray[np.float32]) -> NDArray[np.float32]:
    """The place that each pixel's motion leads to, x then y."""
    height, width = motion.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([motion[..., 0] + x, motion[..., 1] + y], axis=2)
