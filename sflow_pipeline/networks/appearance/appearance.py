"""Appearance condition: what of a picture's colour and light the generator is given, from class means to full detail.

The appearance map replaces the palette map, three channels in [-1, 1]. It is a level of a pyramid:

====  ==================================================================
 0    the mean colour of each class: a palette, as in the paper's S-Flow
1/3   the picture averaged within each class over cells of 16 px
2/3   the same over cells of 4 px
 1    the picture itself
====  ==================================================================

Levels in between are linear mixtures of their neighbours.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.appearance.palette import build_palette_map, measure_palette
from sflow_pipeline.networks.appearance.plane_filters import box_mean, enlarge
from sflow_pipeline.networks.device import send
from sflow_pipeline.tensors import ClassIndexMap, Photo, to_luma

#: Side of a cell in pixels at each level above 0, coarse to fine.
CELLS_PX = (16, 4, 1)
#: How many pixels of the class mean are mixed into every cell, so that slivers of a class have a colour.
_PRIOR_PX = 2.0


def build_appearance_map(
    picture: Photo,
    class_index: ClassIndexMap,
    classes: int,
    strength: Float[Tensor, " b"],
    palette: Float[Tensor, "b classes 3"] | None = None,
    own: Float[Tensor, "b classes 3"] | None = None,
    known: Sequence[float] | None = None,
) -> Float[Tensor, "b 3 h w"]:
    """Colours of a picture at the level that ``strength`` says, class by class, so that nothing leaks over borders.

    Args:
        picture: whose colours, in [-1, 1].
        strength: per image, 0 (class means) to 1 (the picture itself).
        palette: mean colours to use instead of the picture's own; the picture's detail is added to them. Above
            strength 0 the change follows the picture's edges where the labels' borders do not.
        own: the picture's mean colours, where they are known.
        known: the numbers in ``strength``, in any order, so that no GPU is waited for.

    >>> picture = torch.rand(1, 3, 32, 48) * 2 - 1
    >>> labels = torch.zeros(1, 32, 48, dtype=torch.uint8)
    >>> torch.allclose(build_appearance_map(picture, labels, 2, torch.tensor([1.0])), picture, atol=1e-6)
    True
    >>> flat = build_appearance_map(picture, labels, 2, torch.tensor([0.0]))
    >>> torch.allclose(flat, picture.mean(dim=(2, 3), keepdim=True).expand_as(picture), atol=1e-5)
    True
    """
    if own is None:
        own, _ = measure_palette(picture, class_index, classes)
    levels = np.array(strength.tolist() if known is None else known, np.float32) * len(CELLS_PX)
    position = send(strength, picture.device).to(picture).view(-1, 1, 1, 1) * len(CELLS_PX)
    appearance = None
    for number, cell_px in enumerate(CELLS_PX):
        share = (position - number).clamp(0, 1)
        # Two levels further on, nothing of this one is left.
        if ((levels > number) & (levels < number + 2)).any():
            finer = picture if cell_px == 1 else average_within_classes(picture, class_index, own, cell_px)
            if appearance is None and (levels >= number + 1).all():
                appearance = finer
            else:
                coarser = build_palette_map(class_index, own) if appearance is None else appearance
                appearance = torch.lerp(coarser, finer, share)
    if appearance is None:
        appearance = build_palette_map(class_index, own)
    if palette is None:
        return appearance
    shift = build_palette_map(class_index, palette.to(picture) - own)
    follows = position.clamp(max=1)
    smooth = smooth_within_edges(shift, picture)
    return appearance + (smooth if (levels >= 1).all() else torch.lerp(shift, smooth, follows))


def measure_full_detail(strength: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """How much of the finest level, the picture itself, an appearance map of a strength has.

    >>> measure_full_detail(torch.tensor([0.5, 1.0])).tolist()
    [0.0, 1.0]
    """
    levels = len(CELLS_PX)
    return (levels * strength - (levels - 1)).clamp(min=0)


def smooth_within_edges(
    values: Float[Tensor, "b c h w"],
    picture: Photo,
    reach_px: int = 24,
    contrast: float = 0.05,
    slope_limit: float | None = None,
) -> Float[Tensor, "b c h w"]:
    """Fast guided filter (He & Sun 2015): smooth where the picture is, with steps where the picture has some.

    Labels are rarely exact to the pixel, and some are wrong; a change of colour that followed them would show.

    Args:
        values: what to smooth.
        picture: the guide, by its luma.
        reach_px: reach of the filter's boxes.
        contrast: steps of luma above this, of 2, are kept.
        slope_limit: how much of a step of luma a step of the values may be, up or down; None for any.

    >>> flat, values = torch.zeros(1, 3, 96, 96), torch.zeros(1, 1, 96, 96)
    >>> values[..., 48:] = 1.0
    >>> smooth = smooth_within_edges(values, flat)
    >>> bool(smooth.diff(dim=3).max() < 0.1)
    True
    >>> step = flat + values
    >>> bool(smooth_within_edges(values, step).diff(dim=3).max() > 0.4)
    True
    """
    height, width = picture.shape[-2:]
    factor = 4 if min(height, width) >= 64 else 1
    side = 2 * max(1, reach_px // factor) + 1
    luma = to_luma(picture)
    guide, low = (F.avg_pool2d(x, factor, ceil_mode=True, count_include_pad=False) for x in (luma, values))
    mean_guide, mean_low = box_mean(guide, side, count_outside=False), box_mean(low, side, count_outside=False)
    variance = box_mean(guide * guide, side, count_outside=False) - mean_guide * mean_guide
    slope = (box_mean(guide * low, side, count_outside=False) - mean_guide * mean_low) / (variance + contrast**2)
    if slope_limit is not None:
        slope = slope.clamp(-slope_limit, slope_limit)
    offset = mean_low - slope * mean_guide
    slope, offset = (enlarge(box_mean(x, side, count_outside=False), (height, width)) for x in (slope, offset))
    return slope * luma + offset


def average_within_classes(
    picture: Photo, class_index: ClassIndexMap, means: Float[Tensor, "b classes 3"], cell_px: int
) -> Float[Tensor, "b 3 h w"]:
    """Low-pass of a picture within each class: mean over cells, then bilinear between them.

    Args:
        means: each class's mean colour, the prior of cells with few of its pixels.
    """
    height, width = picture.shape[-2:]
    padding = (0, -width % cell_px, 0, -height % cell_px)
    result = torch.zeros_like(picture)
    padded = F.pad(picture, padding)
    # On a GPU all classes cost less than to wait for which of them the pictures show.
    is_on_host = class_index.device.type == "cpu"
    for class_number in torch.unique(class_index).tolist() if is_on_host else range(means.shape[1]):
        member = (class_index == class_number)[:, None].to(picture.dtype)
        inside = F.pad(member, padding)
        prior = _PRIOR_PX / cell_px**2
        total = F.avg_pool2d(padded * inside, cell_px) + prior * means[:, class_number, :, None, None].to(picture)
        cells = total / (F.avg_pool2d(inside, cell_px) + prior)
        smooth = enlarge(cells, (cell_px * cells.shape[-2], cell_px * cells.shape[-1]))
        result = torch.where(member.bool(), smooth[..., :height, :width], result)
    return result
