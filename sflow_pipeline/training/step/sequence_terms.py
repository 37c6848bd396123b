"""Consecutive frames painted in order, and their discriminator, in the spirit of vid2vid (Wang et al. 2018)."""

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from sflow_pipeline.networks.discriminators.discriminator import DiscriminatorOutput, MultiScaleDiscriminator
from sflow_pipeline.networks.motion.previous_image import carry_image
from sflow_pipeline.tensors import Photo
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.generate import generate
from sflow_pipeline.training.step.inputs import StepInputs
from sflow_pipeline.training.step.losses import discriminator_loss, generator_loss
from sflow_pipeline.training.step.render_terms import RenderInputs
from sflow_pipeline.training.step.state import TrainingState

Inputs = TypeVar("Inputs", bound=StepInputs | RenderInputs)


@dataclass(frozen=True)
class PairImages:
    """Images of pairs of frames.

    Attributes:
        before, after: of the earlier and of the later frames.
        carried: ``before`` moved to its place in the later frames, without gradient; None where nothing needs it.
        photo_carried: the earlier frames themselves, likewise.
    """

    before: Photo
    after: Photo
    carried: Photo | None = None
    photo_carried: Photo | None = None


def paint_pairs(state: TrainingState, inputs: StepInputs | RenderInputs, context: StepContext) -> PairImages:
    """The images of pairs: painted independently, or the later one from the earlier one in a recipe that does so.

    The image that is fed back has no gradient, as in vid2vid.
    """
    if not context.recipe.generator.use_previous:
        before, after = generate(state, inputs, context).chunk(2)
        if state.sequence_discriminator is None:
            return PairImages(before, after)
        return PairImages(before, after, *_carry(before, *inputs.photo.chunk(2)))
    earlier, later = split_pairs(inputs)
    before = generate(state, earlier, context)
    carried, photo_carried = _carry(before, *inputs.photo.chunk(2))
    return PairImages(before, generate(state, later, context, carried), carried, photo_carried)


def split_pairs(inputs: Inputs) -> tuple[Inputs, Inputs]:
    """The inputs of the earlier frames and of the later ones."""
    earlier: dict[str, Any] = {}
    later: dict[str, Any] = {}
    for item in fields(inputs):
        value = getattr(inputs, item.name)
        if isinstance(value, Tensor):
            earlier[item.name], later[item.name] = value.chunk(2)
    return replace(inputs, **earlier), replace(inputs, **later)


def sequence_terms(
    discriminator: MultiScaleDiscriminator, inputs: StepInputs, images: PairImages, context: StepContext
) -> dict[str, Tensor]:
    """The sequence discriminator's own loss, and the generator's; gradients do not cross between the networks.

    It is shown a frame, the frame before, and that moved along the motion: of photos, or of images.
    """
    kind = context.recipe.loss.gan
    photo_before, photo_after = inputs.photo.chunk(2)
    assert images.carried is not None and images.photo_carried is not None

    def discriminate(after: Photo, before: Photo, carried: Photo) -> list[DiscriminatorOutput]:
        with context.device.autocast():
            outputs: list[DiscriminatorOutput] = discriminator(after, torch.cat((before, carried), dim=1))
        return outputs

    real = discriminate(photo_after, photo_before, images.photo_carried)
    own = discriminator_loss(kind, real, discriminate(images.after.detach(), images.before.detach(), images.carried))
    discriminator.requires_grad_(False)
    generators = generator_loss(kind, discriminate(images.after, images.before, images.carried))
    discriminator.requires_grad_(True)
    return {"sequence_discriminator": own, "sequence": generators}


def _carry(before: Photo, photo_before: Photo, photo_after: Photo) -> tuple[Photo, Photo]:
    both = carry_image(torch.cat((before.detach(), photo_before), dim=1), photo_before, photo_after)
    return both[:, :3], both[:, 3:]
