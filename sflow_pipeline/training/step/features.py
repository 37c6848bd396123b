"""Loss terms on perceptual-network features: perceptual distance and the semantic discriminator."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from sflow_pipeline.networks.discriminators.semantic_discriminator import SemanticDiscriminator
from sflow_pipeline.networks.features.perceptual import PerceptualNetwork
from sflow_pipeline.tensors import ClassIndexMap, Photo
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.inputs import StepInputs
from sflow_pipeline.training.step.losses import (
    measure_scales,
    perceptual_loss,
    semantic_discriminator_loss,
    semantic_loss,
)
from sflow_pipeline.training.step.mirror_shift import mirror_shift
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.step_rng import StepRng

#: Photo and fake are translated by up to this many pixels before the perceptual network.
MAX_SHIFT_PX = 15


@runtime_checkable
class PhotoAndClasses(Protocol):
    """A picture that a fake is compared with, and its classes."""

    @property
    def photo(self) -> Photo: ...

    @property
    def class_index(self) -> ClassIndexMap: ...


@dataclass(frozen=True)
class FeaturePair:
    """Perceptual-network features of photo and fake.

    Attributes:
        class_index: classes at the place that the features are of.
        real, fake: one tensor (b, c, h, w) per slice of the network, shallow first.
        scales: one positive scalar per slice, by which its features are divided.
    """

    class_index: ClassIndexMap
    real: list[Tensor]
    fake: list[Tensor]
    scales: list[Tensor]


def feature_terms(
    state: TrainingState, inputs: StepInputs, fake: Photo, context: StepContext, rng: StepRng, *, use_semantic: bool
) -> dict[str, Tensor]:
    """Perceptual distance, and the terms of the semantic and projected discriminators that recipe and stage have.

    Args:
        use_semantic: whether these discriminators take part.
    """
    discriminator = state.semantic_discriminator if use_semantic else None
    network, has_perceptual = context.perceptual, context.recipe.loss.perceptual > 0
    terms: dict[str, Tensor] = {}
    if network is not None and (has_perceptual or discriminator is not None):
        features = extract_features(network, inputs, fake, context, rng)
        if has_perceptual:
            terms["perceptual"] = perceptual_loss(network, features.real, features.fake, features.scales)
        if discriminator is not None:
            terms |= semantic_terms(discriminator, features, context)
    if use_semantic and state.projected_discriminator is not None and context.projection is not None:
        features = extract_features(context.projection, inputs, fake, context, rng)
        terms |= semantic_terms(state.projected_discriminator, features, context, "projected")
    return terms


def extract_features(
    network: PerceptualNetwork, inputs: PhotoAndClasses, fake: Photo, context: StepContext, rng: StepRng
) -> FeaturePair:
    """Features of photo and fake, both translated and scaled by the same random amount."""
    # At a fixed place the network's stride would print its grid on the fakes.
    offset = rng.integers(-MAX_SHIFT_PX, MAX_SHIFT_PX, count=2)
    photo, fake, class_index = (mirror_shift(x, *offset) for x in (inputs.photo, fake, inputs.class_index))
    if context.recipe.loss.view_jitter:
        factor = 1 + context.recipe.loss.view_jitter * rng.integers(-100, 100)[0] / 100
        size = [round(factor * side) for side in photo.shape[-2:]]
        photo, fake = (F.interpolate(x, size, mode="bilinear", align_corners=False) for x in (photo, fake))
    with context.device.autocast():
        with torch.no_grad():
            real_features = network(photo)
        fake_features = network(fake)
    scales = measure_scales(network, real_features, context.group)
    return FeaturePair(class_index, real_features, fake_features, scales)


def semantic_terms(
    discriminator: SemanticDiscriminator, features: FeaturePair, context: StepContext, name: str = "semantic"
) -> dict[str, Tensor]:
    """A semantic discriminator's own loss, and the generator's; gradients do not cross between the networks."""
    real, fake = (
        [x / scale.to(x.dtype) for x, scale in zip(side, features.scales, strict=True)]
        for side in (features.real, features.fake)
    )
    class_index, weights = features.class_index, context.get_class_weights()
    with context.device.autocast():
        on_real, on_fake = discriminator(real), discriminator([x.detach() for x in fake])
        own = semantic_discriminator_loss(on_real, on_fake, class_index, weights)
        discriminator.requires_grad_(False)
        generators = semantic_loss(discriminator(fake), class_index, weights)
        discriminator.requires_grad_(True)
    return {f"{name}_discriminator": own, name: generators}
