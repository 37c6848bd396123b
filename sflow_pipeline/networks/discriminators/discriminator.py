"""PatchGAN discriminator conditioned on semantic and edge map, at one or several scales."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from sflow_pipeline.config.network_recipes import DiscriminatorRecipe
from sflow_pipeline.networks.layers import InstanceNorm
from sflow_pipeline.tensors import Photo

#: Of the sequence discriminator's conditions: two pictures.
_BEFORE_CHANNELS = 6


class DiscriminatorOutput(NamedTuple):
    """A discriminator's output at one scale.

    Attributes:
        features: (b, c, h, w) of each layer, shallow first, for feature matching.
        verdict: (b, 1, h, w) one logit per patch, high for real.
    """

    features: list[Tensor]
    verdict: Tensor


class PatchDiscriminator(nn.Module):
    """Classifies overlapping patches as real or fake.

    Inner layers have spectral norm (Miyato et al. 2018), without which it overpowers the generator on a few hundred
    photos, then instance norm: without a norm features fade from layer to layer and feature matching has no signal, and
    with pixel norm a component common to all pixels makes the verdict oscillate from step to step.

    >>> d = PatchDiscriminator(classes=12, width=8, layers=3)
    >>> output = d(torch.zeros(1, 3, 64, 96), torch.zeros(1, 13, 64, 96))
    >>> len(output.features), output.verdict.shape[1]
    (4, 1)
    """

    def __init__(self, classes: int, width: int = 48, layers: int = 3) -> None:
        super().__init__()
        widths = [width * min(2**i, 6) for i in range(layers + 1)]
        channels = 3 + classes + 1
        self.layers = nn.ModuleList()
        for i, out in enumerate(widths):
            stride = 2 if i < layers else 1
            conv = nn.Conv2d(channels, out, 4, stride=stride, padding=2 - stride // 2)
            norm = (spectral_norm(conv), InstanceNorm()) if i else (conv,)
            self.layers.append(nn.Sequential(*norm, nn.LeakyReLU(0.2)))
            channels = out
        self.verdict = nn.Conv2d(channels, 1, 4, padding=1)

    def forward(self, photo: Photo, conditions: Tensor) -> DiscriminatorOutput:
        """``conditions`` is (b, classes + 1, h, w): semantic map and edge map, concatenated."""
        x = torch.cat((photo.to(conditions.dtype), conditions), dim=1)
        features: list[Tensor] = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return DiscriminatorOutput(features, self.verdict(x))


class MultiScaleDiscriminator(nn.Module):
    """Patch discriminators at full, half and quarter resolution (pix2pixHD); the S-Flow paper has one scale."""

    def __init__(self, classes: int, width: int = 48, layers: int = 3, scales: int = 1) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(classes, width, layers) for _ in range(scales))

    def forward(self, photo: Photo, conditions: Tensor) -> list[DiscriminatorOutput]:
        """Output of each scale, finest first."""
        outputs = []
        for k, scale in enumerate(self.scales):
            if k:
                photo, conditions = F.avg_pool2d(photo, 2), F.avg_pool2d(conditions, 2)
            outputs.append(scale(photo, conditions))
        return outputs


def build_sequence_discriminator(recipe: DiscriminatorRecipe) -> MultiScaleDiscriminator:
    """The discriminator of consecutive frames, whose conditions are the image before, and that carried along.

    >>> d = build_sequence_discriminator(DiscriminatorRecipe(sequence_width=8))
    >>> d(torch.zeros(1, 3, 64, 96), torch.zeros(1, 6, 64, 96))[0].verdict.shape[:2]
    torch.Size([1, 1])
    """
    return MultiScaleDiscriminator(_BEFORE_CHANNELS - 1, recipe.sequence_width, recipe.layers, recipe.scales)
