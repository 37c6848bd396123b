"""Filters of single planes: on a CPU by OpenCV, which takes a fraction of the time, elsewhere by torch."""

from collections.abc import Callable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor


def box_mean(x: Float[Tensor, "b c h w"], side: int, *, count_outside: bool) -> Float[Tensor, "b c h w"]:
    """Mean over a square around each pixel; on a CPU by running sums, whose time does not grow with the square.

    Args:
        side: of the square, in pixels; odd.
        count_outside: whether the mean is over the whole square, what is outside the picture being 0, or over those of
            its pixels that the picture has.

    >>> box_mean(torch.ones(1, 1, 1, 3), 3, count_outside=False).flatten().tolist()
    [1.0, 1.0, 1.0]
    >>> [round(value, 2) for value in box_mean(torch.ones(1, 1, 3, 3), 3, count_outside=True)[0, 0, 0].tolist()]
    [0.44, 0.67, 0.44]
    """
    if not _is_for_opencv(x):
        reach = side // 2
        rows = F.avg_pool2d(x, (side, 1), 1, (reach, 0), count_include_pad=count_outside)
        return F.avg_pool2d(rows, (1, side), 1, (0, reach), count_include_pad=count_outside)
    height, width = x.shape[-2:]
    border = cv2.BORDER_CONSTANT
    result = _filter(
        x, (height, width), lambda plane, mean: cv2.boxFilter(plane, -1, (side, side), mean, borderType=border)
    )
    if count_outside:
        return result
    return result.mul_(_share_inside(height, side)[:, None].reciprocal()).mul_(_share_inside(width, side).reciprocal())


def blur(x: Float[Tensor, "b c h w"], sigma_px: float) -> Float[Tensor, "b c h w"]:
    """Gaussian blur out to three sigma, borders repeated.

    >>> blur(torch.ones(1, 2, 8, 8), 2.0).mean().item()
    1.0
    """
    reach = int(3 * sigma_px)
    line = torch.exp(-((torch.arange(-reach, reach + 1, device=x.device) / sigma_px) ** 2) / 2)
    line = (line / line.sum()).to(x.dtype)
    if _is_for_opencv(x):
        kernel, border = line.numpy(), cv2.BORDER_REPLICATE
        return _filter(
            x, x.shape[-2:], lambda plane, out: cv2.sepFilter2D(plane, -1, kernel, kernel, out, borderType=border)
        )
    weight = line.expand(x.shape[1], 1, 1, -1)
    rows = F.conv2d(F.pad(x, (reach,) * 4, mode="replicate"), weight, groups=x.shape[1])
    return F.conv2d(rows, weight.transpose(2, 3), groups=x.shape[1])


def enlarge(x: Float[Tensor, "b c h w"], size: tuple[int, int]) -> Float[Tensor, "b c h2 w2"]:
    """Bilinear enlargement to (height, width).

    >>> enlarge(torch.tensor([[[[0.0, 1.0]]]]), (1, 4)).flatten().tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    if not _is_for_opencv(x):
        return F.interpolate(x, size, mode="bilinear", align_corners=False)
    height, width = size
    return _filter(x, size, lambda plane, out: cv2.resize(plane, (width, height), out, interpolation=cv2.INTER_LINEAR))


def ramp(x: Float[Tensor, "b c h w"], zero: float, one: float) -> Float[Tensor, "b c h w"]:
    """From 0 at ``zero`` to 1 at ``one``, linearly, whichever is larger.

    >>> ramp(torch.tensor([0.0, 1.0, 2.0, 3.0]).view(1, 1, 1, 4), 1.0, 3.0).flatten().tolist()
    [0.0, 0.0, 0.5, 1.0]
    """
    return ((x - zero) / (one - zero)).clamp(0, 1)


def _is_for_opencv(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32 and not x.requires_grad


def _filter(
    x: Tensor, size: tuple[int, ...], run: Callable[[NDArray[np.float32], NDArray[np.float32]], object]
) -> Tensor:
    """Planes of (height, width), each written by ``run`` from one of ``x``."""
    planes = x.contiguous().flatten(0, 1).numpy()
    results = np.empty((len(planes), *size), np.float32)
    for plane, result in zip(planes, results, strict=True):
        run(plane, result)
    return torch.from_numpy(results).view(*x.shape[:2], *size)


def _share_inside(length: int, side: int) -> Float[Tensor, " length"]:
    """Per pixel of a line, the share of the ``side`` pixels around it that are on the line."""
    place, reach = torch.arange(length), side // 2
    return ((place + reach).clamp(max=length - 1) - (place - reach).clamp(min=0) + 1) / side
