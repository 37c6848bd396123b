"""Views of frames for networks that judge them as a whole: windows of frames at about one scale."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from sflow_pipeline.tensors import Photo
from sflow_pipeline.training.step.step_rng import StepRng

#: A view is a window of this side of a frame of this width, as in ``realism_gain`` of ``evaluate``; in px.
SIDE_PX, FRAME_WIDTH_PX = 192, 768
#: Range of the frame's scale; how much smaller than a window a crop may be, and is then enlarged.
_SCALES, _MOST_ENLARGED = (0.85, 1.2), 1.15


def find_viewable(side_px: int, frame_width_px: Float[Tensor, " b"]) -> Bool[Tensor, " b"]:
    """Crops whose shorter side of this length is enough for a view, when their frames are scaled to 768 px of width.

    >>> find_viewable(256, torch.tensor([768.0, 1100.0, 2048.0])).tolist()
    [True, True, False]
    """
    return side_px * FRAME_WIDTH_PX / frame_width_px * _MOST_ENLARGED >= SIDE_PX


def cut_views(
    picture: Photo, frame_width_px: Float[Tensor, " b"], count: int, rng: StepRng
) -> Float[Tensor, "n 3 192 192"]:
    """(b * count, 3, 192, 192): random windows of frames of about 768 px of width, ``count`` of each picture.

    Args:
        picture: crops of frames, or whole frames.
        frame_width_px: of each whole frame, in the picture's pixels.

    >>> cut_views(torch.zeros(2, 3, 256, 336), torch.tensor([800.0, 1000.0]), 2, StepRng(0, 0, 2)).shape
    torch.Size([4, 3, 192, 192])
    """
    low, high = _SCALES
    draws = rng.rand(count, 3)
    views = []
    for image, width, drawn in zip(picture, frame_width_px.tolist(), draws.tolist(), strict=True):
        for size, down, across in drawn:
            scale = FRAME_WIDTH_PX / width * (low + (high - low) * size)
            height_px, width_px = (max(SIDE_PX, round(side * scale)) for side in image.shape[-2:])
            scaled = F.interpolate(
                image[None], (height_px, width_px), mode="bilinear", antialias=True, align_corners=False
            )
            top, left = int(down * (height_px - SIDE_PX + 1)), int(across * (width_px - SIDE_PX + 1))
            views.append(scaled[..., top : top + SIDE_PX, left : left + SIDE_PX])
    return torch.cat(views)
