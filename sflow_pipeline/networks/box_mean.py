"""Means over boxes: on a CPU by running sums, whose time does not grow with the box, elsewhere by pooling."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def box_mean(x: Float[Tensor, "b c h w"], side: int, *, count_outside: bool) -> Float[Tensor, "b c h w"]:
    """Mean over a square around each pixel.

    Args:
        side: of the square, in pixels; odd.
        count_outside: whether the mean is over the whole square, what is outside the picture being 0, or over those of
            its pixels that the picture has.

    >>> box_mean(torch.ones(1, 1, 1, 3), 3, count_outside=False).flatten().tolist()
    [1.0, 1.0, 1.0]
    >>> [round(value, 2) for value in box_mean(torch.ones(1, 1, 3, 3), 3, count_outside=True)[0, 0, 0].tolist()]
    [0.44, 0.67, 0.44]
    """
    if x.device.type != "cpu" or x.dtype != torch.float32 or x.requires_grad:
        reach = side // 2
        rows = F.avg_pool2d(x, (side, 1), 1, (reach, 0), count_include_pad=count_outside)
        return F.avg_pool2d(rows, (1, side), 1, (0, reach), count_include_pad=count_outside)
    planes = x.contiguous().flatten(0, 1).numpy()
    means = np.empty_like(planes)
    for plane, mean in zip(planes, means, strict=True):
        cv2.boxFilter(plane, -1, (side, side), dst=mean, borderType=cv2.BORDER_CONSTANT)
    result = torch.from_numpy(means).view(x.shape)
    if count_outside:
        return result
    height, width = x.shape[-2:]
    return result.mul_(_share_inside(height, side)[:, None].reciprocal()).mul_(_share_inside(width, side).reciprocal())


def _share_inside(length: int, side: int) -> Float[Tensor, " length"]:
    """Per pixel of a line, the share of the ``side`` pixels around it that are on the line."""
    place, reach = torch.arange(length), side // 2
    return ((place + reach).clamp(max=length - 1) - (place - reach).clamp(min=0) + 1) / side
