"""One training step: edges, discriminator, generator and DNED, in named phases."""

import math

import torch
from torch import Tensor

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.training.data.crops import CropBatch
from sflow_pipeline.training.step.augmentation import Augmentation
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.features import compute_semantic_losses, extract_features
from sflow_pipeline.training.step.inputs import build_inputs
from sflow_pipeline.training.step.losses import (
    discriminator_loss,
    dned_loss,
    feature_matching_loss,
    generator_loss,
    gradient_penalty,
    perceptual_loss,
    repetition_loss,
)
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.step_rng import StepRng


def train_step(state: TrainingState, batch: CropBatch, context: StepContext) -> dict[str, float]:
    """Update D, then G and DNED, on one batch, or with a team on the batch of which this is a share.

    Returns:
        The loss terms by name, over the whole batch.

    Raises:
        TrainingError: a term is not finite; names the term and the clock.
    """
    recipe, loss, group = context.recipe, context.recipe.loss, context.group
    images = len(batch.photo) * group.size
    rng = StepRng(recipe.seed * 1_000_003 + state.images_seen, state.images_seen, images, group)
    inputs = build_inputs(state, batch, context, rng)
    photo = inputs.photo

    # Fake.
    with context.autocast():
        fake = state.generator(inputs.semantic, inputs.edge)
    fake = fake.float()
    conditions = torch.cat((inputs.semantic, inputs.edge.detach().to(inputs.semantic.dtype)), dim=1)
    draw = Augmentation(photo, rng) if loss.augment else None
    if draw:
        conditions = draw.of_conditions(conditions)

    def judge(picture: Tensor) -> list[list[Tensor]]:
        with context.autocast():
            verdicts: list[list[Tensor]] = state.discriminator(draw.of_photo(picture) if draw else picture, conditions)
        return verdicts

    # Discriminator; its features of the photo serve feature matching too, so it moves only after G has seen them.
    terms: dict[str, Tensor] = {}
    zero = torch.zeros((), device=context.device)
    judge_total = zero
    judging = state.images_seen >= recipe.schedule.warmup_images
    if judging:
        state.discriminator.requires_grad_(True)
        real_verdicts = judge(photo)
        terms["discriminator"] = discriminator_loss(loss.gan, real_verdicts, judge(fake.detach()))
        if loss.r1 and state.images_seen // images % loss.r1_every_steps == 0:
            # Second derivatives are kept out of bf16.
            shown, given = (draw.of_photo(photo) if draw else photo), conditions.float()
            terms["r1"] = gradient_penalty(lambda picture: state.discriminator(picture, given), shown, rng)
        judge_total = terms["discriminator"] + loss.r1 * loss.r1_every_steps / 2 * terms.get("r1", zero)

        # Generator and DNED; the judge is fixed while they learn.
        state.discriminator.requires_grad_(False)
        fake_verdicts = judge(fake)
        state.discriminator.requires_grad_(True)  # or backward would drop the gradients of its own loss
        terms["gan"] = generator_loss(loss.gan, fake_verdicts)
        terms["feature_matching"] = feature_matching_loss(real_verdicts, fake_verdicts)
    # What the perceptual network sees is compared with the photo, and judged class by class.
    semantic_judge = state.semantic_discriminator if judging else None
    if context.perceptual is not None and (loss.perceptual or semantic_judge is not None):
        features = extract_features(context.perceptual, inputs, fake, context, rng)
        if loss.perceptual:
            terms["perceptual"] = perceptual_loss(context.perceptual, features.real, features.fake, features.scales)
        if semantic_judge is not None:
            terms["semantic_discriminator"], terms["semantic"] = compute_semantic_losses(
                semantic_judge, features, context
            )
            judge_total = judge_total + terms["semantic_discriminator"]
    if loss.l1:
        terms["l1"] = (fake - photo).abs().mean()
    if loss.repetition:
        terms["repetition"] = repetition_loss(photo, fake)
    terms["dned"] = dned_loss(inputs.sides, inputs.alpha, inputs.target)
    total = (
        loss.adversarial * terms.get("gan", zero)
        + loss.semantic * terms.get("semantic", zero)
        + loss.feature_matching * terms.get("feature_matching", zero)
        + loss.perceptual * terms.get("perceptual", zero)
        + loss.l1 * terms.get("l1", zero)
        + loss.repetition * terms.get("repetition", zero)
        + loss.dned * terms["dned"]
    )
    told = torch.stack([term.detach().float() for term in terms.values()])
    group.average([told])
    state.backward(*((judge_total, total) if judging else (total,)), group=group)
    # Asked once a step, and late: a GPU stands still while it is waited for.
    values = dict(zip(terms, told.tolist(), strict=True))
    _stop_if_not_finite(values, state.images_seen)
    state.set_learning_rates()
    state.optimizer_step()

    state.images_seen += images
    state.update_averages(images)
    return values


def _stop_if_not_finite(terms: dict[str, float], images_seen: int) -> None:
    broken = [name for name, term in terms.items() if not math.isfinite(term)]
    if broken:
        raise TrainingError(
            f"loss term {', '.join(broken)} is not finite after {images_seen} images",
            hint="resume from the last checkpoint with a lower learning rate or precision: fp32",
        )
