"""Crops of labelled pictures, and their matching by label: what ``skvd`` and ``ckvd`` compare.

Sets of pictures differ in the layout of their streets. Richter et al. (2021, "Enhancing Photorealism Enhancement")
compare crops with similar labels instead, so that a distance says how surfaces look and not where they are.
"""

import math
import zlib
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sflow_pipeline.evaluation.reference_networks.network_input import resize_photo
from sflow_pipeline.evaluation.reference_networks.spec import FilterName

FRAME_WIDTH_PX = 512
#: A crop's share of the frame's pixels.
CROP_SHARE = 1 / 8
#: Crops of a frame, and of a set, at most.
MAX_CROPS_PER_FRAME, MAX_CROPS = 4, 512
#: A label is compared at this many cells a side.
GRID = 16
#: More than this share of the cells must agree.
LEAST_AGREEMENT = 0.5
FILTER: FilterName = "antialias_bilinear"
_SMALLEST_CROP_PX = 32
_SEED = 20210511
#: Channel of pixels without a scored class; it never agrees.
VOID = 255


class LabelledCrop(NamedTuple):
    """A crop.

    Attributes:
        picture: (1, 3, s, s) in [-1, 1].
        channels: (s, s) uint8 class channels.
        layout: (256,) the same at ``GRID`` x ``GRID`` cells.
    """

    picture: Float[Tensor, "1 3 s s"]
    channels: NDArray[np.uint8]
    layout: NDArray[np.uint8]


@dataclass(frozen=True)
class Matches:
    """Pairs of crops: row i of ``own`` goes with row i of ``reference``."""

    own: NDArray[np.int64]
    reference: NDArray[np.int64]


def cut_labelled_crops(
    photo: NDArray[np.uint8], channels: NDArray[np.uint8], sample_id: str, count: int
) -> list[LabelledCrop]:
    """Squares of an eighth of the frame's area, at positions that follow from the sample id.

    Args:
        photo: (h, w, 3) uint8 RGB; resized to 512 px width first.
        channels: (h, w) class channels, 255 where a pixel has no scored class; resized by nearest pixel.
        sample_id: of the frame.
        count: how many.
    """
    height, width = photo.shape[:2]
    size_px = (FRAME_WIDTH_PX, max(_SMALLEST_CROP_PX, round(height * FRAME_WIDTH_PX / width)))
    batch = torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1)[None].float()
    picture = resize_photo(batch, size_px, FILTER).clamp(0, 255) / 127.5 - 1.0
    labels = np.asarray(cv2.resize(channels, size_px, interpolation=cv2.INTER_NEAREST), np.uint8)
    side = max(_SMALLEST_CROP_PX, min(math.isqrt(int(size_px[0] * size_px[1] * CROP_SHARE)), *size_px))
    rng = np.random.default_rng([_SEED, zlib.crc32(sample_id.encode("utf-8", "surrogateescape"))])
    corners = (rng.random((count, 2)) * (size_px[1] - side + 1, size_px[0] - side + 1)).astype(int)
    crops = []
    for top, left in corners:
        cut = np.ascontiguousarray(labels[top : top + side, left : left + side])
        layout = np.asarray(cv2.resize(cut, (GRID, GRID), interpolation=cv2.INTER_NEAREST), np.uint8).ravel()
        crops.append(LabelledCrop(picture[:, :, top : top + side, left : left + side], cut, layout))
    return crops


def match_crops(own: NDArray[np.uint8], reference: NDArray[np.uint8]) -> Matches:
    """For each crop the reference crop whose label agrees most, where more than half of the cells do.

    Args:
        own: (n, 256) layouts.
        reference: (m, 256) layouts.

    >>> grid = np.zeros((2, 256), np.uint8); grid[1] = 3
    >>> match_crops(grid[::-1], grid).reference.tolist(), len(match_crops(grid[:1], grid[1:]).own)
    ([1, 0], 0)
    """
    pairs = []
    for index, layout in enumerate(own):
        agreement = ((reference == layout) & (layout != VOID)).mean(axis=1)
        best = int(agreement.argmax()) if len(agreement) else 0
        if len(agreement) and agreement[best] > LEAST_AGREEMENT:
            pairs.append((index, best))
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return Matches(found[:, 0], found[:, 1])
