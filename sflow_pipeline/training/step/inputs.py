"""What one training step is about: a photo, its classes and edges, and what the generator is shown of them."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.networks.appearance import build_appearance_map
from sflow_pipeline.networks.dned import SIDES, fuse_sides
from sflow_pipeline.networks.edges import extract_edges
from sflow_pipeline.networks.palette import build_own_palette_map
from sflow_pipeline.tensors import (
    ClassIndexMap,
    EdgeMap,
    Photo,
    SemanticMap,
    build_semantic_map,
    to_bytes,
    to_unit_range,
)
from sflow_pipeline.training.data.crops import CropBatch
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.edge_corruption import corrupt_edges
from sflow_pipeline.training.step.photo_damage import damage_photo, draw_strength
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.step_rng import StepRng


@dataclass(frozen=True)
class StepInputs:
    """What one step is about: ``target`` is the photo's skeleton, ``sides`` and ``alpha`` are DNED's answer to what CG
    would leave of it, ``edge`` is what the generator is shown.
    """

    photo: Photo
    class_index: ClassIndexMap
    semantic: SemanticMap
    target: EdgeMap
    sides: Float[Tensor, "b 5 h w"]
    alpha: Float[Tensor, "b 5"]
    edge: EdgeMap


def build_inputs(state: TrainingState, batch: CropBatch, context: StepContext, rng: StepRng) -> StepInputs:
    """Edges of the photo, damaged and repaired, and its semantic map, on the device."""
    recipe = context.recipe
    photo_bytes = batch.photo.to(context.device, non_blocking=True)
    class_index = batch.class_index.to(context.device, non_blocking=True)
    dtype = torch.bfloat16 if context.precision == "bf16" else torch.float32
    boundary = batch.boundary_map.to(context.device, non_blocking=True) if batch.boundary_map is not None else None
    photo = to_unit_range(photo_bytes).contiguous(memory_format=torch.channels_last)
    colors, edge_source = None, photo_bytes
    if recipe.generator.use_palette:
        colors = build_own_palette_map(photo, class_index, context.classes)
    if recipe.generator.use_appearance:
        strength = draw_strength(rng).to(context.device)
        damaged_photo = damage_photo(photo, class_index, context.classes, rng)
        uses_damaged = (strength > 0).view(-1, 1, 1, 1)
        source = torch.where(uses_damaged, damaged_photo, photo)
        colors = build_appearance_map(source, class_index, context.classes, strength)
        # The edges of a rendering are those of the picture that the appearance map comes from.
        uses_damaged &= (rng.rand(1, 1, 1) < 0.6).to(context.device)
        edge_source = torch.where(uses_damaged, to_bytes(damaged_photo), photo_bytes)
    semantic = build_semantic_map(class_index, context.classes, dtype, boundary, colors)
    threshold = _draw_threshold(recipe, rng).to(context.device)
    target = extract_edges(photo_bytes, threshold)
    shown = target if edge_source is photo_bytes else extract_edges(edge_source, threshold)
    damaged = corrupt_edges(shown, class_index, recipe.dned, rng)
    alpha = _draw_dirichlet(recipe.dned.alpha_concentration, rng).to(context.device)
    with context.autocast():
        sides = state.dned(damaged)
    edge = fuse_sides(sides, alpha) if state.images_seen >= recipe.schedule.laplacian_images else damaged
    if not recipe.generator.use_edges:
        edge = torch.zeros_like(damaged)  # the judge must not know what the generator is not told
    semantic = semantic.contiguous(memory_format=torch.channels_last)
    return StepInputs(photo, class_index, semantic, target, sides, alpha, edge)


def _draw_threshold(recipe: Recipe, rng: StepRng) -> Float[Tensor, " b"]:
    span = math.log1p(recipe.edges.jitter)
    return recipe.edges.threshold * torch.exp(span * (2 * rng.rand() - 1))


def _draw_dirichlet(concentration: float, rng: StepRng) -> Float[Tensor, "b 5"]:
    gamma = rng.per_image(
        lambda images, rng: torch._standard_gamma(torch.full((images, SIDES), concentration), generator=rng)
    )
    return gamma / gamma.sum(dim=1, keepdim=True)
