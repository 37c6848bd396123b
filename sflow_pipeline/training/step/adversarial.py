"""Loss terms of the PatchGAN discriminator and of the generator against it."""

import torch
from torch import Tensor

from sflow_pipeline.networks.discriminators.discriminator import DiscriminatorOutput
from sflow_pipeline.tensors import Photo
from sflow_pipeline.training.step.augmentation import Augmentation
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.inputs import StepInputs
from sflow_pipeline.training.step.losses import (
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    gradient_penalty,
)
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.step_rng import StepRng


def adversarial_terms(
    state: TrainingState,
    inputs: StepInputs,
    fake: Photo,
    augmentation: Augmentation | None,
    context: StepContext,
    rng: StepRng,
    *,
    use_r1: bool,
) -> dict[str, Tensor]:
    """``discriminator``, ``r1`` if asked for, ``gan`` and ``feature_matching``; gradients do not cross.

    The discriminator's features of the photo serve its own loss and feature matching.
    """
    discriminator, kind = state.discriminator, context.recipe.loss.gan
    conditions = torch.cat((inputs.semantic, inputs.edge.detach().to(inputs.semantic.dtype)), dim=1)
    if augmentation:
        conditions = augmentation.of_conditions(conditions)

    def augment(image: Photo) -> Photo:
        return augmentation.of_photo(image) if augmentation else image

    def discriminate(image: Photo) -> list[DiscriminatorOutput]:
        with context.device.autocast():
            outputs: list[DiscriminatorOutput] = discriminator(augment(image), conditions)
        return outputs

    terms: dict[str, Tensor] = {}
    discriminator.requires_grad_(True)
    real = discriminate(inputs.photo)
    terms["discriminator"] = discriminator_loss(kind, real, discriminate(fake.detach()))
    if use_r1:
        # Second derivatives stay in float32.
        full = conditions.float()
        terms["r1"] = gradient_penalty(lambda image: discriminator(image, full), augment(inputs.photo), rng)
    discriminator.requires_grad_(False)
    against_generator = discriminate(fake)
    discriminator.requires_grad_(True)  # otherwise backward would drop the gradients of its own loss
    terms["gan"] = generator_loss(kind, against_generator)
    terms["feature_matching"] = feature_matching_loss(real, against_generator)
    return terms
