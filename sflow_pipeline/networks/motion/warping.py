"""Warping of pictures along optical flow, and which pixels can be compared afterwards."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

#: Thresholds of the forward-backward check (Sundaram, Brox, Keutzer 2010): share of the squared flows, and px².
_CONSISTENCY = (0.01, 0.5)


def warp(after: Float[Tensor, "b c h w"], flow: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b c h w"]:
    """What the first frame shows according to the second: ``after`` at the place that ``flow`` leads each pixel to.

    Args:
        after: the second frame, or any map of it.
        flow: from each pixel of the first frame to its place in the second, x then y, in px.

    >>> after = torch.arange(4.0).view(1, 1, 1, 4).repeat(1, 1, 2, 1)
    >>> warp(after, torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 2, 4))[0, 0, 0].tolist()
    [1.0, 2.0, 3.0, 3.0]
    """
    x, y = _find_targets(flow)
    height, width = flow.shape[-2:]
    grid = torch.stack([x * (2 / max(1, width - 1)) - 1, y * (2 / max(1, height - 1)) - 1], dim=-1)
    return F.grid_sample(after, grid, mode="bilinear", padding_mode="border", align_corners=True)


def find_inside(flow: Float[Tensor, "b 2 h w"]) -> Bool[Tensor, "b 1 h w"]:
    """Where the flow is finite and leads to a place inside the other picture."""
    x, y = _find_targets(flow)
    height, width = flow.shape[-2:]
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))[:, None]


def find_visible(forward: Float[Tensor, "b 2 h w"], backward: Float[Tensor, "b 2 h w"]) -> Bool[Tensor, "b 1 h w"]:
    """Pixels of the first frame that the second shows too: the backward flow at their target leads back to them.

    >>> still = torch.zeros(1, 2, 4, 4)
    >>> find_visible(still, still).all().item(), find_visible(still, still + 2).any().item()
    (True, False)
    """
    returned = warp(backward, forward)
    gap = (forward + returned).square().sum(dim=1, keepdim=True)
    length = (forward.square() + returned.square()).sum(dim=1, keepdim=True)
    share, floor_px2 = _CONSISTENCY
    return find_inside(forward) & (gap <= share * length + floor_px2)


def _find_targets(flow: Float[Tensor, "b 2 h w"]) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"]]:
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    return x, y
