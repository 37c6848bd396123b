"""Loss terms on simulator frames, for which there is no photo: content and tone are held, realism is adversarial."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.appearance.appearance import build_appearance_map
from sflow_pipeline.networks.appearance.fidelity import hold_render, show_render
from sflow_pipeline.networks.discriminators.semantic_discriminator import SemanticDiscriminator
from sflow_pipeline.networks.edges.dned import fuse_sides, uniform_alpha
from sflow_pipeline.networks.edges.edges import extract_edges
from sflow_pipeline.tensors import (
    ClassIndexMap,
    EdgeMap,
    Photo,
    SemanticMap,
    build_semantic_map,
    to_luma,
    to_unit_range,
)
from sflow_pipeline.training.data.crops import CropBatch
from sflow_pipeline.training.step.class_statistics import statistics_loss
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.features import FeaturePair, extract_features
from sflow_pipeline.training.step.generate import generate
from sflow_pipeline.training.step.kernel_distance import kernel_loss
from sflow_pipeline.training.step.losses import fake_class_loss, perceptual_loss, repetition_loss, semantic_loss
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.step_rng import StepRng

#: (height, width) of a typical frame, in px: crops do not say how large theirs was.
_FRAME_PX = (495, 880)


@dataclass(frozen=True)
class RenderInputs:
    """Inputs of the generator for simulator frames.

    Attributes:
        photo: the simulator's frames; named as in ``StepInputs``, because features are extracted of both.
        appearance: their appearance maps.
        strength: how far each image follows its map.
    """

    photo: Photo
    class_index: ClassIndexMap
    appearance: Photo
    semantic: SemanticMap
    edge: EdgeMap
    strength: Float[Tensor, " b"]


def render_terms(
    state: TrainingState, batch: CropBatch, context: StepContext, rng: StepRng, *, use_semantic: bool
) -> dict[str, Tensor]:
    """Terms of converted simulator frames, whose names begin with ``render``.

    ``render_content`` is the perceptual distance to the frame, ``render_tone`` that of the colours to its appearance
    map. The semantic and the projected discriminator, which are trained on photos in the same step, classify converted
    frames as fake pixel by pixel; the generator's terms are to be classified as the label says. A pixel is compared
    with photo pixels of its own class, so another layout of the scene is not punished. ``render_statistics`` is how far
    the features' statistics are from those of photos, class by class; ``render_kernel`` compares whole views.

    Args:
        batch: crops of simulator frames.
        use_semantic: whether discriminators take part, as far as the recipe has them.
    """
    inputs = build_render_inputs(state, batch, context, rng)
    fake = hold_fake(generate(state, inputs, context), inputs, context)
    terms = score_renders(state, inputs, fake, context, rng, use_semantic=use_semantic)
    if context.kernel_references and batch.origins is not None:
        terms["render_kernel"] = kernel_loss(state, fake, batch.origins, context.kernel_references, rng, context.group)
    return terms


def hold_fake(fake: Photo, inputs: RenderInputs, context: StepContext) -> Photo:
    """Images as conversion writes them.

    Discriminators are not deceived by light instead of texture, and the generator learns where its own detail is asked
    for.
    """
    return hold_render(fake, inputs.appearance, inputs.class_index, context.fidelity, inputs.strength, _FRAME_PX)


def score_renders(
    state: TrainingState, inputs: RenderInputs, fake: Photo, context: StepContext, rng: StepRng, *, use_semantic: bool
) -> dict[str, Tensor]:
    """The terms of ``render_terms`` but the kernel distance, for images that ``hold_fake`` made of ``inputs``'."""
    terms = {
        "render_tone": tone_loss(inputs.appearance, fake),
        "render_repetition": repetition_loss(inputs.photo, fake),
    }
    statistics = []
    if context.perceptual is not None:
        features = extract_features(context.perceptual, inputs, fake, context, rng)
        terms["render_content"] = perceptual_loss(context.perceptual, features.real, features.fake, features.scales)
        if use_semantic and state.semantic_discriminator is not None:
            terms |= _fake_terms("semantic", state.semantic_discriminator, features, context)
        if context.perceptual_statistics:
            statistics.append(statistics_loss(context.perceptual_statistics, features.fake, features.class_index))
    if use_semantic and state.projected_discriminator is not None and context.projection is not None:
        features = extract_features(context.projection, inputs, fake, context, rng)
        terms |= _fake_terms("projected", state.projected_discriminator, features, context)
        if context.projection_statistics:
            statistics.append(statistics_loss(context.projection_statistics, features.fake, features.class_index))
    if statistics:
        terms["render_statistics"] = torch.stack(statistics).mean()
    return terms


@torch.no_grad()
def build_render_inputs(state: TrainingState, batch: CropBatch, context: StepContext, rng: StepRng) -> RenderInputs:
    """Simulator frames as conversion gives them to the generator: their edges after DNED and their appearance map.

    Two thirds have an appearance strength of 1, the others one between 1/3 and 1.
    """
    device, classes = context.device, context.classes
    picture = batch.photo.to(device.name, non_blocking=True)
    class_index = batch.class_index.to(device.name, non_blocking=True)
    boundary = batch.boundary_map.to(device.name, non_blocking=True) if batch.boundary_map is not None else None
    render = to_unit_range(picture).contiguous(memory_format=torch.channels_last)
    strength = (1 / 3 + 2 * rng.rand()).clamp(max=1.0).to(device.name)
    appearance = build_appearance_map(render, class_index, classes, strength)
    shown = show_render(appearance, class_index, context.fidelity, strength)
    semantic = build_semantic_map(class_index, classes, device.dtype, boundary, shown)
    edges = extract_edges(picture, context.recipe.edges.threshold)
    with device.autocast():
        edge = fuse_sides(state.dned(edges), uniform_alpha(len(picture), device.name))
    return RenderInputs(
        render, class_index, appearance, semantic.contiguous(memory_format=torch.channels_last), edge, strength
    )


def tone_loss(appearance: Photo, fake: Photo) -> Tensor:
    """L1 between colours averaged over cells: chroma over cells of 2 and 8 px, a third of the luma over cells of 8 px.

    Markings and signs are smaller than the larger cells; brightness below them is the discriminators' to decide.

    >>> grey, red = torch.zeros(1, 3, 16, 16), torch.tensor([0.3, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    >>> tone_loss(grey, grey + 0.1).item() < tone_loss(grey, red).item()
    True
    """
    fine, coarse = (_split_luma(F.avg_pool2d(fake - appearance, cell, ceil_mode=True)) for cell in (2, 8))
    return (fine[1].abs().mean() + coarse[1].abs().mean()) / 2 + coarse[0].abs().mean() / 3


def _split_luma(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Luma (b, 1, h, w) and the rest (b, 3, h, w)."""
    luma = to_luma(picture)
    return luma, picture - luma


def _fake_terms(
    name: str, discriminator: SemanticDiscriminator, features: FeaturePair, context: StepContext
) -> dict[str, Tensor]:
    """The discriminator's loss on converted frames, and the generator's; gradients do not cross."""
    weights = context.get_class_weights()
    fake = [x / scale.to(x.dtype) for x, scale in zip(features.fake, features.scales, strict=True)]
    with context.device.autocast():
        own = fake_class_loss(discriminator([x.detach() for x in fake]), len(weights))
        discriminator.requires_grad_(False)
        generators = semantic_loss(discriminator(fake), features.class_index, weights)
        discriminator.requires_grad_(True)
    return {f"render_{name}_discriminator": own, f"render_{name}": generators}
