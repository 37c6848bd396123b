"""Mixing of a segmenter's crops: objects and regions of other crops with their labels, and blank regions."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from sflow_pipeline.tensors import Photo

#: Classes whose loss weight is above this multiple of the mean pixel's are rare: small things, mostly.
_RARE_WEIGHT = 1.5
#: Sides of regions, as shares of a crop's.
_REGION = (0.15, 0.5)


def mix_crops(
    photo: Photo,
    truth: Int64[Tensor, "b h w"],
    class_weights: Float[Tensor, " classes"],
    void_channel: int | None,
    share: float,
    rng: torch.Generator,
) -> tuple[Photo, Int64[Tensor, "b h w"], Bool[Tensor, "b h w"]]:
    """Crops of which a share each got objects, a region, or a blank region.

    What is pasted brings its label, so a network learns not to infer a region from its surroundings; blank regions
    are labelled void.

    Returns:
        photos, classes, and the pixels that are labelled: all but void, and blank regions.
    """
    batch, _, height, width = photo.shape
    counted = torch.ones_like(truth, dtype=torch.bool) if void_channel is None else truth != void_channel
    if not share:
        return photo, truth, counted
    sources, classes, labelled = photo, truth.clone(), counted.clone()
    photo = photo.clone()
    for i in range(batch):
        other = (i + 1) % batch
        wanted = torch.rand(3, generator=rng) < share
        if wanted[0]:
            mask, moved = _choose_objects(truth[other], class_weights, rng)
            photo[i] = torch.where(mask, sources[other].roll(moved, dims=(1, 2)), photo[i])
            classes[i] = torch.where(mask, truth[other].roll(moved, dims=(0, 1)), classes[i])
            labelled[i] |= mask
        if wanted[1]:
            rows, columns = _draw_region(height, width, rng)
            photo[i, :, rows, columns] = sources[other, :, rows, columns]
            classes[i, rows, columns], labelled[i, rows, columns] = (
                truth[other, rows, columns],
                counted[other, rows, columns],
            )
        if wanted[2] and void_channel is not None:
            rows, columns = _draw_region(height, width, rng)
            photo[i, :, rows, columns] = _blank(photo[i, :, rows, columns], rng)
            classes[i, rows, columns], labelled[i, rows, columns] = void_channel, True
    return photo, classes, labelled


def _choose_objects(
    truth: Int64[Tensor, "h w"], class_weights: Float[Tensor, " classes"], rng: torch.Generator
) -> tuple[Bool[Tensor, "h w"], tuple[int, int]]:
    """(mask, (down, across)): all pixels of one rare class, moved; none where there is no rare class."""
    present = [int(c) for c in truth.unique() if class_weights[c] > _RARE_WEIGHT]
    if not present:
        return torch.zeros_like(truth, dtype=torch.bool), (0, 0)
    chosen = present[int(torch.randint(len(present), (), generator=rng))]
    height, width = truth.shape
    moved = (
        int(torch.randint(-height // 8, height // 8 + 1, (), generator=rng)),
        int(torch.randint(width, (), generator=rng)),
    )
    return (truth == chosen).roll(moved, dims=(0, 1)), moved


def _draw_region(height: int, width: int, rng: torch.Generator) -> tuple[slice, slice]:
    places = []
    for length in (height, width):
        low, high = _REGION
        side = int(length * (low + (high - low) * torch.rand((), generator=rng)))
        start = int(torch.randint(length - side + 1, (), generator=rng))
        places.append(slice(start, start + side))
    return places[0], places[1]


def _blank(region: Float[Tensor, "3 h w"], rng: torch.Generator) -> Float[Tensor, "3 h w"]:
    """One colour, noise, or the region itself blurred beyond recognition."""
    kind = int(torch.randint(3, (), generator=rng))
    mean = region.mean(dim=(1, 2), keepdim=True)
    if kind == 0:
        return (mean + 0.3 * torch.randn(3, 1, 1, generator=rng).to(region.device)).clamp(-1, 1).expand_as(region)
    if kind == 1:
        return (mean + 0.4 * torch.randn(region.shape, generator=rng).to(region.device)).clamp(-1, 1)
    coarse = F.adaptive_avg_pool2d(region[None], (2, 3))
    return F.interpolate(coarse, size=region.shape[1:], mode="bilinear", align_corners=False)[0]
