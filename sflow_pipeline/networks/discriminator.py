"""The discriminator: PatchGAN conditioned on semantic and edge map, at one or several scales."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from sflow_pipeline.networks.layers import InstanceNorm
from sflow_pipeline.tensors import Photo


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches; returns every layer's features, the last of which is the verdict map.

    Inner layers carry spectral norm (Miyato et al. 2018), which keeps it from winning outright on a few hundred photos,
    then instance norm: without a norm features fade from layer to layer and feature matching has nothing to match, and
    with pixel norm a component common to all pixels lets the verdict swing from step to step.

    >>> d = PatchDiscriminator(classes=12, width=8, layers=3)
    >>> features = d(torch.zeros(1, 3, 64, 96), torch.zeros(1, 13, 64, 96))
    >>> len(features), features[-1].shape[1]
    (5, 1)
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

    def forward(self, photo: Photo, conditions: Tensor) -> list[Tensor]:
        """``conditions`` is (b, classes + 1, h, w): semantic map and edge map, concatenated."""
        x = torch.cat((photo.to(conditions.dtype), conditions), dim=1)
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return [*features, self.verdict(x)]


class MultiScaleDiscriminator(nn.Module):
    """The same judge at full, half and quarter resolution (pix2pixHD); one scale is the paper's own choice."""

    def __init__(self, classes: int, width: int = 48, layers: int = 3, scales: int = 1) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(classes, width, layers) for _ in range(scales))

    def forward(self, photo: Photo, conditions: Tensor) -> list[list[Tensor]]:
        """Features of each scale, finest first."""
        outputs = []
        for k, scale in enumerate(self.scales):
            if k:
                photo, conditions = F.avg_pool2d(photo, 2), F.avg_pool2d(conditions, 2)
            outputs.append(scale(photo, conditions))
        return outputs
