"""Inputs of the networks in one training step: photo, classes, and the photo's edges as DNED repairs them."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.networks.appearance.appearance import build_appearance_map
from sflow_pipeline.networks.appearance.palette import build_own_palette_map
from sflow_pipeline.networks.edges.dned import SIDES, fuse_sides
from sflow_pipeline.networks.edges.edges import extract_edges
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

#: Share of damaged photos whose edges are used too, as a rendering's edges are those of the picture itself.
_DAMAGED_EDGES = 0.6


@dataclass(frozen=True)
class StepInputs:
    """A batch on the device, as the networks take it.

    Attributes:
        photo: the real photo.
        semantic: the semantic map, with boundary and palette or appearance channels where the recipe has them.
        target: the photo's edge map, DNED's target.
        sides, alpha: DNED's side outputs for the corrupted edge map, and the ensemble weights of this step.
        edge: the generator's edge input: the corrupted edges at first, DNED's answer in the joint stage, zero in a
            recipe without edges (the discriminator must not get more than the generator).
        strength: appearance strength of each image; None in a recipe without appearance.
    """

    photo: Photo
    class_index: ClassIndexMap
    semantic: SemanticMap
    target: EdgeMap
    sides: Float[Tensor, "b 5 h w"]
    alpha: Float[Tensor, "b 5"]
    edge: EdgeMap
    strength: Float[Tensor, " b"] | None = None


def build_inputs(state: TrainingState, batch: CropBatch, context: StepContext, rng: StepRng) -> StepInputs:
    """Move a batch to the device, extract and corrupt its edges, run DNED, and encode the semantic map."""
    recipe, device = context.recipe, context.device
    photo_bytes = batch.photo.to(device.name, non_blocking=True)
    class_index = batch.class_index.to(device.name, non_blocking=True)
    boundary = batch.boundary_map.to(device.name, non_blocking=True) if batch.boundary_map is not None else None
    photo = to_unit_range(photo_bytes).contiguous(memory_format=torch.channels_last)
    strength, color_map, edge_source = _build_color_map(photo, photo_bytes, class_index, context, rng)
    semantic = build_semantic_map(class_index, context.classes, device.dtype, boundary, color_map)
    threshold = _draw_threshold(recipe, rng).to(device.name)
    target = extract_edges(photo_bytes, threshold)
    source_edges = target if edge_source is photo_bytes else extract_edges(edge_source, threshold)
    corrupted = corrupt_edges(source_edges, class_index, recipe.dned, rng)
    alpha = _draw_dirichlet(recipe.dned.alpha_concentration, rng).to(device.name)
    with device.autocast():
        sides = state.dned(corrupted)
    is_joint = state.images_seen >= recipe.schedule.laplacian_images
    edge = fuse_sides(sides, alpha) if is_joint else corrupted
    if not recipe.generator.use_edges:
        edge = torch.zeros_like(corrupted)
    semantic = semantic.contiguous(memory_format=torch.channels_last)
    return StepInputs(photo, class_index, semantic, target, sides, alpha, edge, strength)


def _build_color_map(
    photo: Photo, photo_bytes: UInt8[Tensor, "b 3 h w"], class_index: ClassIndexMap, context: StepContext, rng: StepRng
) -> tuple[Float[Tensor, " b"] | None, Float[Tensor, "b 3 h w"] | None, UInt8[Tensor, "b 3 h w"]]:
    """Appearance strength, the palette or appearance map, None without, and the picture that edges are from."""
    recipe = context.recipe.generator
    if recipe.use_appearance:
        strength = draw_strength(rng, context.recipe.schedule.palette_share).to(photo.device)
        damaged_photo = damage_photo(photo, class_index, context.classes, rng)
        uses_damaged = (strength > 0).view(-1, 1, 1, 1)
        source = torch.where(uses_damaged, damaged_photo, photo)
        appearance = build_appearance_map(source, class_index, context.classes, strength)
        uses_damaged &= (rng.rand(1, 1, 1) < _DAMAGED_EDGES).to(photo.device)
        return strength, appearance, torch.where(uses_damaged, to_bytes(damaged_photo), photo_bytes)
    if recipe.use_palette:
        return None, build_own_palette_map(photo, class_index, context.classes), photo_bytes
    return None, None, photo_bytes


def _draw_threshold(recipe: Recipe, rng: StepRng) -> Float[Tensor, " b"]:
    span = math.log1p(recipe.edges.jitter)
    return recipe.edges.threshold * torch.exp(span * (2 * rng.rand() - 1))


def _draw_dirichlet(concentration: float, rng: StepRng) -> Float[Tensor, "b 5"]:
    gamma = rng.per_image(
        lambda images, generator: torch._standard_gamma(torch.full((images, SIDES), concentration), generator=generator)
    )
    return gamma / gamma.sum(dim=1, keepdim=True)
