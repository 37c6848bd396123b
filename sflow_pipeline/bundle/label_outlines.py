"""Outlines of a label in its picture: how much stronger edges along them are in place than where the label is moved.

It needs no segmenter. A right label has a sharp maximum in its place, a label of another frame none, and a moved label
has it elsewhere.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

#: How far a label is moved in each direction, and from where on moved labels count, as shares of the height.
_REACH, _FAR = 1 / 12, 1 / 48
#: Offsets up to this count as in place: labels are drawn by hand.
_NEAR_PX = 1
#: Added to the spread of the strengths, as a share of the picture's mean edge strength: in pictures where edges along
#: outlines are as strong everywhere the spread alone is too small.
_SPREAD_SHARE = 0.1
#: Fewer pixels on outlines say nothing.
_FEWEST_PX = 30
#: Of labels without outlines, and the most.
BEST = 9.0


def compare_outlines(
    picture: UInt8[NDArray[np.uint8], "h w 3"], class_index: UInt8[NDArray[np.uint8], "h w"], void_channel: int | None
) -> float:
    """By how many spreads edges along the label's outlines are stronger in place than their mean elsewhere.

    An edge counts as far as its direction is the outline's: cos 2a for an angle of a between them, so that edges of any
    direction cancel out. Outlines of void are left out.

    Returns:
        0 where they are as strong elsewhere; at most ``BEST``, which labels with next to no outlines have, too.

    >>> label = np.zeros((96, 128), np.uint8); label[30:70, 40:] = 1
    >>> picture = np.repeat(label[..., None] * 100, 3, axis=2)
    >>> right, moved = (compare_outlines(picture, each, None) for each in (label, np.roll(label, (4, 4), (0, 1))))
    >>> right > 2 > 0.5 > moved
    True
    """
    height, width = class_index.shape
    reach = max(3, round(_REACH * height))
    far_from = max(_NEAR_PX + 1, round(_FAR * height))
    outline = _find_outlines(class_index, void_channel)
    outline[:reach] = outline[-reach:] = outline[:, :reach] = outline[:, -reach:] = 0
    total = float(_measure(outline).sum())
    if total < _FEWEST_PX or min(height, width) <= 2 * reach:
        return BEST
    edge = _find_edges(picture)
    strength = _correlate(edge, outline, reach) / total
    offset = np.abs(np.arange(-reach, reach + 1))
    distance = np.maximum(offset[:, None], offset)
    elsewhere = strength[distance >= far_from]
    spread = elsewhere.std() + _SPREAD_SHARE * _measure(edge).mean()
    gain = strength[distance <= _NEAR_PX].max() - elsewhere.mean()
    return min(float(gain / (spread + 1e-6)), BEST)


def _find_outlines(class_index: NDArray[np.uint8], void_channel: int | None) -> Float[NDArray[np.float32], "h w 2"]:
    """Cosine and sine of twice the angle of the outlines' normals, times a strength that sums to 1 across them."""
    squared = np.zeros((*class_index.shape, 2), np.float32)
    for channel in np.flatnonzero(np.bincount(class_index.ravel())).tolist():
        if channel != void_channel:
            mask = (class_index == channel).view(np.uint8)
            left, top, width, height = cv2.boundingRect(mask)
            place = np.s_[max(0, top - 3) : top + height + 3, max(0, left - 3) : left + width + 3]
            # 0.5: both classes of an outline have it.
            squared[place] += 0.5 * _square_gradient(mask[place].astype(np.float32))
    size = _measure(squared)
    squared *= (1 / (np.sqrt(size) + 1e-6))[..., None]
    if void_channel is not None:
        squared[cv2.dilate((class_index == void_channel).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0] = 0
    return squared


def _find_edges(picture: NDArray[np.uint8]) -> Float[NDArray[np.float32], "h w 2"]:
    """The same of a picture's luma, with the logarithm of the gradient as the strength."""
    squared = _square_gradient(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32))
    size = _measure(squared)
    squared *= (np.log1p(np.sqrt(size)) / (size + 1e-6))[..., None]
    return squared


def _square_gradient(plane: NDArray[np.float32]) -> Float[NDArray[np.float32], "h w 2"]:
    """The square of the gradient as a complex number: its direction is twice the gradient's."""
    blurred = cv2.GaussianBlur(plane, (0, 0), 1)
    right, down = cv2.Sobel(blurred, -1, 1, 0, scale=0.25), cv2.Sobel(blurred, -1, 0, 1, scale=0.25)
    return np.asarray(cv2.merge([right * right - down * down, 2 * right * down]), np.float32)


def _measure(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) lengths of the (h, w, 2) vectors."""
    return np.asarray(cv2.magnitude(*cv2.split(planes)), np.float32)


def _correlate(edge: NDArray[np.float32], outline: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """(2 * reach + 1, 2 * reach + 1) sums of the products for every offset of the outline."""
    height, width = (cv2.getOptimalDFTSize(side + reach) for side in edge.shape[:2])
    pad = (height - edge.shape[0], width - edge.shape[1])
    spectra = [
        cv2.dft(cv2.copyMakeBorder(plane, 0, pad[0], 0, pad[1], cv2.BORDER_CONSTANT, value=0.0))
        for plane in (edge, outline)
    ]
    product = cv2.mulSpectrums(spectra[0], spectra[1], 0, conjB=True)
    sums = cv2.dft(product, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE)[..., 0]
    offset = np.arange(-reach, reach + 1)
    return np.asarray(sums[offset[:, None], offset], np.float32)
