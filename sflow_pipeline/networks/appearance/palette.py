"""Palettes: the mean colour of every class in a photo, which says what light and what paint a street is shown in.

Edges and classes do not determine colours. A generator without a palette produces their mean, which is grey, and all
variants look alike. With the photo's palette as input in training, and that of some training photo in conversion, it
follows the palette, and another palette gives another photo of the same scene.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.tensors import ClassIndexMap, Photo

#: Channels that a palette adds to the semantic map.
PALETTE_CHANNELS = 3

#: Mean RGB in [-1, 1] of each class, of each photo of a batch.
Palette = Float[Tensor, "b classes 3"]


def measure_palette(
    photo: Photo, class_index: ClassIndexMap, classes: int
) -> tuple[Palette, Float[Tensor, "b classes"]]:
    """Palettes of photos, 0 for a class that a photo does not show, and the share of pixels that each class has.

    >>> photo = torch.tensor([[[[0.5, 0.1, -1.0]]]]).expand(1, 3, 1, 3)
    >>> palette, share = measure_palette(photo, torch.tensor([[[0, 0, 2]]], dtype=torch.uint8), classes=3)
    >>> palette[0, :, 0].tolist(), [round(s, 2) for s in share[0].tolist()]
    ([0.30000001192092896, 0.0, -1.0], [0.67, 0.0, 0.33])
    """
    if photo.device.type == "cpu" and photo.dtype == torch.float32 and not photo.requires_grad:
        return _measure_by_bins(photo, class_index, classes)
    channels = torch.arange(classes, device=class_index.device, dtype=class_index.dtype)
    member = (class_index.flatten(1)[:, None] == channels[:, None]).to(photo.dtype)  # (b, classes, pixels)
    total = member @ photo.flatten(2).transpose(1, 2)
    count = member.sum(dim=2)
    return total / count.clamp(min=1)[..., None], count / member.shape[2]


def _measure_by_bins(
    photo: Photo, class_index: ClassIndexMap, classes: int
) -> tuple[Palette, Float[Tensor, "b classes"]]:
    """The same on a CPU, in less than half the time."""
    total, count = np.zeros((len(photo), classes, 3)), np.zeros((len(photo), classes))
    for i, pixels in enumerate(class_index.flatten(1).numpy().astype(np.intp)):
        count[i] = np.bincount(pixels, minlength=classes)[:classes]
        for k, plane in enumerate(photo[i].flatten(1).numpy()):
            total[i, :, k] = np.bincount(pixels, plane, minlength=classes)[:classes]
    mean, share = total / np.maximum(count, 1)[..., None], count / class_index[0].numel()
    return torch.from_numpy(mean).float(), torch.from_numpy(share).float()


def build_palette_map(class_index: ClassIndexMap, palette: Palette) -> Float[Tensor, "b 3 h w"]:
    """Every pixel in its class's colour of the palette.

    >>> palette = torch.tensor([[[0.0, 0.25, 0.5], [1.0, 0.75, 0.0]]])
    >>> build_palette_map(torch.tensor([[[1, 0]]], dtype=torch.uint8), palette)[0, :, 0].tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.0, 0.5]]
    """
    pixels = class_index.flatten(1)[:, None].long().expand(-1, palette.shape[2], -1)
    return palette.transpose(1, 2).gather(2, pixels).view(*palette.shape[::2], *class_index.shape[1:])


def build_own_palette_map(photo: Photo, class_index: ClassIndexMap, classes: int) -> Float[Tensor, "b 3 h w"]:
    """Every pixel in the mean colour of its class in its own photo: what training shows the generator."""
    return build_palette_map(class_index, measure_palette(photo, class_index, classes)[0])


def fill_palettes(palettes: Palette, shares: Float[Tensor, "b classes"]) -> Palette:
    """Palettes to paint any scene with, the typical one first.

    A class that a photo does not show gets the mean of those that do; typical is the palette that is nearest to all
    others, classes weighed by their share of the pixels.
    """
    seen = (shares > 0).float()
    mean = (palettes * seen[..., None]).sum(dim=0) / seen.sum(dim=0).clamp(min=1)[:, None]
    filled = torch.where(seen[..., None] > 0, palettes, mean)
    weighed = (filled * shares.mean(dim=0)[:, None]).flatten(1)
    typical = int(torch.cdist(weighed, weighed, p=1).sum(dim=1).argmin())
    return torch.cat((filled[typical : typical + 1], filled[:typical], filled[typical + 1 :]))


def darken_palette(palette: Palette, own: Palette, share: Float[Tensor, "b classes"]) -> Palette:
    """A palette in the darkness of a scene: palettes are of photos by day, and a scene by night has to stay dark.

    Up to 0.2 brighter than the scene, in [-1, 1], a palette stays as it is; from 0.4 it becomes as dark as the scene.

    Args:
        own: the scene's mean colours.
        share: of the scene's pixels that each class has.

    >>> day, night = torch.tensor([[[0.2, 0.2, 0.2]]]), torch.tensor([[[-0.8, -0.8, -0.7]]])
    >>> [round(value, 2) for value in darken_palette(day, night, torch.ones(1, 1))[0, 0].tolist()]
    [-0.77, -0.77, -0.77]
    >>> torch.equal(darken_palette(day, day - 0.1, torch.ones(1, 1)), day)
    True
    """
    excess = ((palette - own) * share[..., None] / 3).sum(dim=(1, 2), keepdim=True)
    return palette - excess * ((excess - 0.2) / 0.2).clamp(0, 1)
