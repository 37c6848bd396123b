"""One training step: generator and DNED forward, loss terms, backward, optimiser steps."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.training.data.crops import CropBatch
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.flow_terms import photo_pair_terms, render_pair_terms
from sflow_pipeline.training.step.generate import generate
from sflow_pipeline.training.step.inputs import build_inputs
from sflow_pipeline.training.step.losses import dned_loss
from sflow_pipeline.training.step.photo_terms import photo_terms
from sflow_pipeline.training.step.render_terms import render_terms
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.step_rng import StepRng
from sflow_pipeline.training.step.teacher import teacher_loss


def train_step(state: TrainingState, batch: CropBatch, context: StepContext) -> dict[str, float]:
    """Update every network on one batch, or with a group of processes on the batch of which this is a share.

    Returns:
        The loss terms by name, over the whole batch. ``recipe.loss`` weights them; a term without a weight there is
        logged only.

    Raises:
        TrainingError: a term is not finite; names the term and the images seen. The networks are not updated.
    """
    recipe, loss, group = context.recipe, context.recipe.loss, context.group
    images = len(batch.photo) * group.size
    rng = StepRng(recipe.seed * 1_000_003 + state.images_seen, state.images_seen, images, group)
    inputs = build_inputs(state, batch, context, rng)
    fake = generate(state, inputs, context)

    has_discriminators = state.images_seen >= recipe.schedule.warmup_images
    use_r1 = loss.r1 > 0 and state.images_seen // images % loss.r1_every_steps == 0
    terms = photo_terms(state, inputs, fake, context, rng, use_discriminators=has_discriminators, use_r1=use_r1)
    if batch.renders is not None:
        terms |= render_terms(state, batch.renders, context, rng, use_semantic=has_discriminators)
        if batch.renders.pairs is not None:
            terms |= render_pair_terms(state, batch.renders.pairs, context, use_discriminators=has_discriminators)
    if batch.pairs is not None:
        terms |= photo_pair_terms(state, batch.pairs, context, use_discriminators=has_discriminators)
    if context.teacher is not None:
        terms["teacher"] = teacher_loss(context.teacher, inputs, fake, context, rng)
    terms["dned"] = dned_loss(inputs.sides, inputs.alpha, inputs.target)

    means = torch.stack([term.detach().float() for term in terms.values()])
    group.average([means])
    totals = [_weigh(terms, loss.weights())]
    if has_discriminators:
        totals.insert(0, _weigh(terms, loss.discriminator_weights()))
    state.backward(*totals, group=group)
    # The only host synchronisation of a step, after backward is queued.
    values = dict(zip(terms, means.tolist(), strict=True))
    _check_finite(values, state.images_seen)
    state.set_learning_rates()
    state.optimizer_step()
    state.images_seen += images
    state.update_averages(images)
    return values


def _weigh(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The weighted sum of the terms that ``weights`` names."""
    return torch.stack([weight * terms[name].float() for name, weight in weights.items() if name in terms]).sum()


def _check_finite(terms: Mapping[str, float], images_seen: int) -> None:
    broken = [name for name, term in terms.items() if not math.isfinite(term)]
    if broken:
        raise TrainingError(
            f"loss term {', '.join(broken)} is not finite after {images_seen} images",
            hint="resume from the last checkpoint with a lower learning rate or precision: fp32",
        )
