"""Illumination held at an appearance map's: light over large areas is the simulator's, not that of the training photos.

Generators brighten skies and darken foregrounds as their photos have it; a network that has no part in their training
sees less of a photo in such frames than in the same texture under the simulator's light. They also tint everything as
the photos' cameras do, most of which see roads a little green.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.appearance.plane_filters import box_mean, enlarge
from sflow_pipeline.tensors import Photo, to_luma

#: Cells per width at which luma is compared, and the side in cells of the two boxes whose means are taken: together
#: nearly a Gaussian of 1/20 of the width.
_CELLS, _BOX = 128, 15

#: Share of the light over large areas that is the render's, where an image follows it fully.
HELD_ILLUMINATION = 0.8
#: Share of that share for the light's colour.
_TINT = 0.6


def hold_illumination(
    photo: Photo, appearance: Photo, share: Float[Tensor, "b 1 1 1"] | float, frame_width: int | None = None
) -> Photo:
    """Move the light of an image over large areas towards an appearance map's, its colour partly; detail stays.

    Args:
        photo, appearance: RGB in [-1, 1].
        share: 0 (the image's own) to 1 (the appearance map's).
        frame_width: in px, of the frame that the images are crops of; their own width when None.

    >>> import torch
    >>> dark, bright = torch.full((1, 3, 64, 96), -0.5), torch.full((1, 3, 64, 96), 0.25)
    >>> hold_illumination(dark, bright, torch.full((1, 1, 1, 1), 0.5)).mean().item()
    -0.125
    """
    height, width = photo.shape[-2:]
    factor = max(1, round((frame_width or width) / _CELLS))
    padding = (0, -width % factor, 0, -height % factor)
    cells = F.avg_pool2d(F.pad(appearance.float() - photo.float(), padding, mode="replicate"), factor)
    cells = torch.lerp(to_luma(cells), cells, _TINT)
    for _ in range(2):
        cells = box_mean(cells, _BOX, count_outside=False)
    wide = enlarge(cells, (factor * cells.shape[-2], factor * cells.shape[-1]))
    return (photo.float() + share * wide[..., :height, :width]).clamp(-1, 1)
