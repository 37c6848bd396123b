"""Corruption of real edge maps with the defects of CG edges, DNED's training input."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from sflow_pipeline.config.network_recipes import DnedRecipe
from sflow_pipeline.tensors import EdgeMap
from sflow_pipeline.training.step.step_rng import StepRng


def corrupt_edges(edge_map: EdgeMap, class_index: UInt8[Tensor, "b h w"], recipe: DnedRecipe, rng: StepRng) -> EdgeMap:
    """Drop strokes in blobs and edges inside objects, thicken, lose resolution; in a random mix per image.

    >>> rng = StepRng(0, first_image=0, batch_size=2)
    >>> corrupt_edges(torch.ones(2, 1, 32, 48), torch.zeros(2, 32, 48, dtype=torch.uint8), DnedRecipe(), rng).shape
    torch.Size([2, 1, 32, 48])
    """
    batch, _, height, width = edge_map.shape
    device = edge_map.device

    def chance(probability: float) -> Float[Tensor, "b 1 1 1"]:
        return (rng.rand(1, 1, 1) < probability).float().to(device)

    # Thickness: dilate the edges of some images.
    thick = chance(0.25)
    edges = edge_map * (1 - thick) + F.max_pool2d(edge_map, 3, 1, 1) * thick
    # Resolution: the strokes of a frame that was rendered small and enlarged.
    coarse = chance(0.2)
    small = F.interpolate(F.max_pool2d(edges, 2, ceil_mode=True), size=(height, width), mode="nearest")
    edges = edges * (1 - coarse) + small * coarse
    # Blobs: smooth noise above a random level removes whole strokes.
    dropped = chance(recipe.stroke_dropout)
    level = rng.rand(1, 1, 1).to(device)
    edges = edges * (1 - dropped * (_smooth_noise(height, width, rng).to(device) < 0.7 * level).float())
    # Interiors: CG objects have few edges inside; keep some classes whole, and all edges along class borders.
    interior = chance(recipe.interior_dropout)
    strength = rng.rand(1, 1, 1).to(device).sqrt()
    per_class = rng.rand(256).to(device)
    class_keeps = per_class.gather(1, class_index.long().view(batch, -1)).view(batch, 1, height, width) > strength
    keep = torch.maximum(class_keeps.float(), _near_borders(class_index))
    return edges * (1 - interior * (1 - keep))


def _smooth_noise(height: int, width: int, rng: StepRng) -> Float[Tensor, "b 1 h w"]:
    coarse = rng.rand(1, max(2, height // 16), max(2, width // 16))
    return F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)


def _near_borders(class_index: UInt8[Tensor, "b h w"], reach_px: int = 2) -> Float[Tensor, "b 1 h w"]:
    classes = class_index[:, None].float()
    window = 2 * reach_px + 1
    highest = F.max_pool2d(classes, window, 1, reach_px)
    lowest = -F.max_pool2d(-classes, window, 1, reach_px)
    return (highest != lowest).float()
