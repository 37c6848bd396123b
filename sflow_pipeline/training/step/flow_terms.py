"""Loss terms on pairs of consecutive frames: generated frames move as the frames do that they were made from."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.motion.farneback import Flow, compute_farneback_flow, to_grey
from sflow_pipeline.networks.motion.warping import find_inside, find_visible, warp
from sflow_pipeline.tensors import Photo
from sflow_pipeline.training.data.crops import PairBatch
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.inputs import StepInputs, build_inputs
from sflow_pipeline.training.step.photo_terms import photo_terms
from sflow_pipeline.training.step.render_terms import RenderInputs, build_render_inputs, hold_fake, score_renders
from sflow_pipeline.training.step.sequence_terms import PairImages, paint_pairs, sequence_terms, split_pairs
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.step_rng import PairRng, StepRng

#: Falloff of a pixel's weight with the squared difference of the frames themselves, in [0, 1] (Lai et al. 2018).
_TRUST = 50.0


@dataclass(frozen=True)
class Motion:
    """Motion from the earlier frame of each pair to the later one.

    Attributes:
        flow: px, finite everywhere.
        weight: in [0, 1], 0 where the later frame does not show the same surface.
    """

    flow: Flow
    weight: Float[Tensor, "b 1 h w"]


def photo_pair_terms(
    state: TrainingState, pairs: PairBatch, context: StepContext, *, use_discriminators: bool = True
) -> dict[str, Tensor]:
    """``warp`` and ``flow`` of pairs of photos, whose motion is measured by Farnebäck's method.

    The recipe may add those of the sequence discriminator, and where frames are painted in order those of the later
    images, which are judged as all images are; their names begin with ``later``.
    """
    rng = _build_rng(state, pairs, context, 0)
    inputs = build_inputs(state, pairs.frames, context, rng)
    images = paint_pairs(state, inputs, context)
    terms = _compute_terms(inputs, images, pairs, context)
    if use_discriminators and state.sequence_discriminator is not None:
        terms |= sequence_terms(state.sequence_discriminator, inputs, images, context)
    if context.recipe.generator.use_previous:
        later = split_pairs(inputs)[1]
        rng = _build_rng(state, pairs, context, 2)
        own = photo_terms(state, later, images.after, context, rng, use_discriminators=use_discriminators)
        terms |= {f"later_{name}": term for name, term in own.items()}
    return terms


def render_pair_terms(
    state: TrainingState, pairs: PairBatch, context: StepContext, *, use_discriminators: bool = True
) -> dict[str, Tensor]:
    """``render_warp`` and ``render_flow`` of pairs of simulator frames, whose motion the simulator states.

    Where frames are painted in order, also the terms of the later images, as in ``photo_pair_terms``.
    """
    rng = _build_rng(state, pairs, context, 1)
    inputs = build_render_inputs(state, pairs.frames, context, rng)
    images = paint_pairs(state, inputs, context)
    terms = {f"render_{name}": term for name, term in _compute_terms(inputs, images, pairs, context).items()}
    if context.recipe.generator.use_previous:
        later = split_pairs(inputs)[1]
        rng = _build_rng(state, pairs, context, 3)
        fake = hold_fake(images.after, later, context)
        own = score_renders(state, later, fake, context, rng, use_semantic=use_discriminators)
        terms |= {f"later_{name}": term for name, term in own.items()}
    return terms


def measure_motion(before: Photo, after: Photo, known: Float[Tensor, "b 2 h w"] | None = None) -> Motion:
    """Motion between frames, and how far their pixels can be compared.

    Pixels count where the flows to and from the later frame agree, or where the simulator says so; less, the more the
    frames differ along the flow, as they do in reflections, moving shadows and where the flow is wrong.

    Args:
        known: motion that a simulator states, NaN where a surface is hidden; measured if None.

    >>> still = torch.rand(1, 3, 32, 48) * 2 - 1
    >>> motion = measure_motion(still, still)
    >>> motion.flow.abs().mean().item() < 0.05, motion.weight.mean().item() > 0.8
    (True, True)
    """
    with torch.no_grad():
        if known is None:
            grey = to_grey(before), to_grey(after)
            flow = compute_farneback_flow(*grey)
            visible = find_visible(flow, compute_farneback_flow(*grey[::-1]))
        else:
            visible = known.isfinite().all(dim=1, keepdim=True)
            flow = torch.where(visible, known, 0)
            visible &= find_inside(flow)
        difference = ((before - warp(after, flow)) / 2).square().mean(dim=1, keepdim=True)
        return Motion(flow, visible * torch.exp(-_TRUST * difference))


def warp_loss(before: Photo, after: Photo, motion: Motion) -> Tensor:
    """L1 between the earlier frame and the later one warped back along the motion, weighted mean over pixels.

    >>> picture = torch.rand(1, 3, 32, 48) * 2 - 1
    >>> still = Motion(torch.zeros(1, 2, 32, 48), torch.ones(1, 1, 32, 48))
    >>> warp_loss(picture, picture, still).item() < 1e-5, round(warp_loss(picture, picture + 0.5, still).item(), 3)
    (True, 0.5)
    """
    distance = (before - warp(after, motion.flow)).abs().mean(dim=1, keepdim=True)
    return _average(distance, motion.weight)


def flow_loss(before: Photo, after: Photo, flow: Flow, weight: Float[Tensor, "b 1 h w"]) -> Tensor:
    """Distance in px between ``flow`` and that of the generated frames, weighted mean over pixels.

    Farnebäck's method is differentiable here, so the loss reaches the generator through the flow.
    """
    generated = compute_farneback_flow(to_grey(before), to_grey(after))
    distance = ((generated - flow).square().sum(dim=1, keepdim=True) + 1e-4).sqrt()
    return _average(distance, weight)


def _compute_terms(
    inputs: StepInputs | RenderInputs, images: PairImages, pairs: PairBatch, context: StepContext
) -> dict[str, Tensor]:
    before, after = inputs.photo.chunk(2)
    known = None if pairs.motion is None else pairs.motion.to(context.device.name, non_blocking=True)
    motion = measure_motion(before, after, known)
    terms = {"warp": warp_loss(images.before, images.after, motion)}
    if context.recipe.loss.flow:
        flow = motion.flow
        if known is not None:  # the same method on both sides, so that its own error does not count
            with torch.no_grad():
                flow = compute_farneback_flow(to_grey(before), to_grey(after))
        terms["flow"] = flow_loss(images.before, images.after, flow, motion.weight)
    return terms


def _build_rng(state: TrainingState, pairs: PairBatch, context: StepContext, stream: int) -> StepRng:
    """Random numbers apart from those of the photos, which pairs do not change; streams 2 and 3 are of later images."""
    group = context.group
    count = len(pairs.frames.photo) // 2 * group.size
    part, is_render = divmod(stream, 2)
    seed = (context.recipe.seed * 1_000_003 + state.images_seen) * 2 + is_render + (7 + 10 * part) * 1_000_000_000
    return (StepRng if part else PairRng)(seed, 0, count, group)


def _average(distance: Float[Tensor, "b 1 h w"], weight: Float[Tensor, "b 1 h w"]) -> Tensor:
    """A mean per pair, so that processes can share a batch; the clamp is for crops without any comparable pixel."""
    total = weight.sum(dim=(1, 2, 3)).clamp(min=1.0)
    return ((distance * weight).sum(dim=(1, 2, 3)) / total).mean()
