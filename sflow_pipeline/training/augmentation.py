"""Differentiable augmentation of what the discriminator sees (Zhao et al. 2020), so that it cannot learn photos by heart."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sflow_pipeline.tensors import Photo


def augment(photo: Photo, conditions: Tensor, generator: torch.Generator) -> tuple[Photo, Tensor]:
    """Brightness, saturation and contrast of each photo; one translation and one cut-out of photos and conditions alike.

    Args:
        conditions: (b, classes + 1, h, w) semantic and edge map, as the discriminator is shown them.
    """
    batch, _, height, width = photo.shape

    def draw() -> Tensor:
        return torch.rand(batch, 1, 1, 1, generator=generator).to(photo.device)

    photo = photo + (draw() - 0.5) * 0.6
    mean = photo.mean(dim=1, keepdim=True)
    photo = (photo - mean) * (0.5 + draw()) + mean
    mean = photo.mean(dim=(1, 2, 3), keepdim=True)
    photo = (photo - mean) * (0.6 + 0.8 * draw()) + mean

    shift_y, shift_x = height // 8, width // 8
    top = int(torch.randint(-shift_y, shift_y + 1, (1,), generator=generator))
    left = int(torch.randint(-shift_x, shift_x + 1, (1,), generator=generator))
    hole_y = int(torch.randint(0, height - height // 4, (1,), generator=generator))
    hole_x = int(torch.randint(0, width - width // 4, (1,), generator=generator))
    keep = torch.ones(1, 1, height, width, device=photo.device)
    keep[..., hole_y : hole_y + height // 4, hole_x : hole_x + width // 4] = 0
    # A negative pad crops: one copy moves the picture, and what comes in from outside is zero.
    place = (left, -left, top, -top)
    return F.pad(photo, place) * keep, F.pad(conditions, place) * keep
