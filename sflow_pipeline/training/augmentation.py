"""Differentiable augmentation of what the discriminator sees (Zhao et al. 2020), so that it cannot learn photos by heart."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sflow_pipeline.tensors import EdgeMap, Photo, SemanticMap


def augment(
    photo: Photo, semantic_map: SemanticMap, edge_map: EdgeMap, generator: torch.Generator
) -> tuple[Photo, SemanticMap, EdgeMap]:
    """Brightness, saturation, contrast on the photo; one translation and one cut-out on all three, drawn per image."""
    batch, _, height, width = photo.shape

    def draw() -> Tensor:
        return torch.rand(batch, 1, 1, 1, generator=generator).to(photo.device)

    photo = photo + (draw() - 0.5) * 0.6
    mean = photo.mean(dim=1, keepdim=True)
    photo = (photo - mean) * (0.5 + draw()) + mean
    mean = photo.mean(dim=(1, 2, 3), keepdim=True)
    photo = (photo - mean) * (0.6 + 0.8 * draw()) + mean

    stacked = torch.cat((photo, semantic_map, edge_map), dim=1)
    shift_y, shift_x = height // 8, width // 8
    top = int(torch.randint(0, 2 * shift_y + 1, (1,), generator=generator))
    left = int(torch.randint(0, 2 * shift_x + 1, (1,), generator=generator))
    stacked = F.pad(stacked, (shift_x, shift_x, shift_y, shift_y))[..., top : top + height, left : left + width]
    hole_y = int(torch.randint(0, height - height // 4, (1,), generator=generator))
    hole_x = int(torch.randint(0, width - width // 4, (1,), generator=generator))
    keep = torch.ones(1, 1, height, width, device=photo.device)
    keep[..., hole_y : hole_y + height // 4, hole_x : hole_x + width // 4] = 0
    photo, semantic_map, edge_map = (stacked * keep).split((3, semantic_map.shape[1], 1), dim=1)
    return photo, semantic_map, edge_map
