"""Sample strips: the networks' outputs for validation photos, for people who follow a run."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.networks.appearance.palette import build_own_palette_map
from sflow_pipeline.networks.edges.dned import fuse_sides, uniform_alpha
from sflow_pipeline.networks.edges.edges import extract_edges
from sflow_pipeline.networks.motion.previous_image import add_previous
from sflow_pipeline.storage.image_codec import encode_rgb
from sflow_pipeline.tensors import build_semantic_map, to_bytes, to_unit_range
from sflow_pipeline.training.data.crops import CropSampler
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.state import TrainingState


@torch.no_grad()
def write_sample_strip(
    state: TrainingState, validation: CropSampler, context: StepContext, path: Path, rows: int = 5
) -> None:
    """One row per validation crop: photo | Laplacian edges | DNED | fake, by the averaged networks."""
    stride = max(1, len(validation.photos) // rows)
    strips: list[NDArray[np.uint8]] = []
    for i in range(rows):
        batch = validation.cut_batch(i * stride, 1)
        device = context.device.name
        photo = batch.photo.to(device)
        colors = None
        if context.recipe.generator.use_palette:
            colors = build_own_palette_map(to_unit_range(batch.photo), batch.class_index, context.classes)
        semantic = build_semantic_map(
            batch.class_index, context.classes, boundary_map=batch.boundary_map, palette_map=colors
        )
        laplacian = extract_edges(photo, context.recipe.edges.threshold)
        repaired = fuse_sides(state.dned_ema(laplacian), uniform_alpha(1, device))
        joint = state.images_seen >= context.recipe.schedule.laplacian_images
        if context.recipe.generator.use_previous:
            semantic = add_previous(semantic, None)
        fake = to_bytes(state.generator_ema(semantic.to(device), repaired if joint else laplacian))
        cells = [photo, *((255 * e).byte().expand(-1, 3, -1, -1) for e in (laplacian, repaired)), fake]
        strips.append(torch.cat(cells, dim=3)[0].permute(1, 2, 0).cpu().numpy())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_rgb(np.concatenate(strips)))
