"""Palettes of the training photos, for the bundle."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.appearance.palette import fill_palettes, measure_palette
from sflow_pipeline.tensors import to_unit_range
from sflow_pipeline.training.data.photo_set import PhotoSet

#: Enough to draw from, and small beside the weights.
_MOST = 256
#: Position of each palette between the typical one (0) and its photo's (1). At 1, another photo's colours cost 1.7
#: points of mIoU, mean of nine palettes on held-out photos; at 0.7 they cost 0.6.
_VARIETY = 0.8


def collect_palettes(photos: PhotoSet, classes: int) -> Float[Tensor, "n classes 3"]:
    """Palettes of up to 256 photos, spread evenly over the set, the typical one first; RGB in [-1, 1].

    All but the typical one are moved towards it, so that none is far from the combinations in training.
    """
    chosen = np.unique(np.linspace(0, len(photos) - 1, min(_MOST, len(photos))).round().astype(int))
    measured = []
    for index in chosen:
        photo, class_index = (torch.from_numpy(np.array(plane))[None] for plane in photos.read(int(index)))
        measured.append(measure_palette(to_unit_range(photo.permute(0, 3, 1, 2)), class_index, classes))
    palettes, shares = (torch.cat(parts) for parts in zip(*measured, strict=True))
    filled = fill_palettes(palettes, shares)
    return filled[:1] + _VARIETY * (filled - filled[:1])
