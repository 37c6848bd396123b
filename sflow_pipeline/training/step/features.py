"""What the perceptual network sees of a photo and its fake, and what the semantic judge says to that."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.networks.perceptual import PerceptualNetwork
from sflow_pipeline.networks.semantic_discriminator import SemanticDiscriminator
from sflow_pipeline.tensors import ClassIndexMap, Photo
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.inputs import StepInputs
from sflow_pipeline.training.step.losses import measure_scales, semantic_discriminator_loss, semantic_loss
from sflow_pipeline.training.step.mirror_shift import mirror_shift
from sflow_pipeline.training.step.step_rng import StepRng


@dataclass(frozen=True)
class FeaturePair:
    """What the perceptual network sees of photo and fake, the scale of each slice, and the classes of that place."""

    class_index: ClassIndexMap
    real: list[Tensor]
    fake: list[Tensor]
    scales: list[Tensor]


def extract_features(
    network: PerceptualNetwork, inputs: StepInputs, fake: Photo, context: StepContext, rng: StepRng
) -> FeaturePair:
    """Both pictures through the perceptual network, from one place and in one scale, which are drawn."""
    # The network's stride would print its grid on the fakes if it always fell on the same pixels.
    place = rng.integers(-15, 15, count=2)
    photo, fake, class_index = (mirror_shift(picture, *place) for picture in (inputs.photo, fake, inputs.class_index))
    if context.recipe.loss.view_jitter:
        factor = 1 + context.recipe.loss.view_jitter * rng.integers(-100, 100)[0] / 100
        size = [round(factor * side) for side in photo.shape[-2:]]
        photo, fake = (F.interpolate(x, size, mode="bilinear", align_corners=False) for x in (photo, fake))
    with context.autocast():
        with torch.no_grad():
            real_features = network(photo)
        fake_features = network(fake)
    scales = measure_scales(network, real_features, context.group)
    return FeaturePair(class_index, real_features, fake_features, scales)


def compute_semantic_losses(
    judge: SemanticDiscriminator, features: FeaturePair, context: StepContext
) -> tuple[Tensor, Tensor]:
    """The judge's own loss, and what the generator hears of it; each moves only its own network."""
    if context.class_weights is None:
        raise TrainingError("the semantic judge needs class weights", hint="give them in the StepContext")
    real, fake = (
        [features / scale.to(features.dtype) for features, scale in zip(side, features.scales, strict=True)]
        for side in (features.real, features.fake)
    )
    with context.autocast():
        own = semantic_discriminator_loss(
            judge(real), judge([f.detach() for f in fake]), features.class_index, context.class_weights
        )
        judge.requires_grad_(False)
        told = semantic_loss(judge(fake), features.class_index, context.class_weights)
        judge.requires_grad_(True)
    return own, told
