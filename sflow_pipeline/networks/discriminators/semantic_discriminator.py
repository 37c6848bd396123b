"""Semantic discriminator: classifies every pixel as one of the classes or as fake, from perceptual features."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from sflow_pipeline.networks.layers import PixelNorm


class SemanticDiscriminator(nn.Module):
    """A segmenter with an extra class "fake" (OASIS, Schönfeld et al. 2021) on frozen perceptual-network features
    (Projected GAN, Sauer et al. 2021).

    Its loss asks for pixels that look like a photo of their class. On pretrained features it needs hundreds of images
    where a PatchGAN needs tens of thousands, and the perceptual loss computes the features anyway.

    Args:
        channels: of each slice of the perceptual network's features, shallow first.
        classes: of the label space; fake comes after them.
        width: channels of its own layers.

    >>> import torch
    >>> discriminator = SemanticDiscriminator(channels=(4, 8), classes=3, width=6)
    >>> [tuple(logits.shape) for logits in discriminator([torch.zeros(1, 4, 12, 16), torch.zeros(1, 8, 6, 8)])]
    [(1, 4, 6, 8), (1, 4, 12, 16)]
    """

    def __init__(self, channels: Sequence[int], classes: int, width: int) -> None:
        super().__init__()
        self.input_projections = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.blocks = nn.ModuleList(
            nn.Sequential(PixelNorm(), nn.LeakyReLU(0.2), nn.Conv2d(width, width, 3, padding=1)) for _ in channels
        )
        self.verdicts = nn.ModuleList(
            nn.Sequential(PixelNorm(), nn.LeakyReLU(0.2), nn.Conv2d(width, classes + 1, 1)) for _ in channels
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Logits (b, classes + 1, h, w) at every slice's size, deep first; each depth adds to the deeper features."""
        x: Tensor | None = None
        logits = []
        depths = list(zip(self.input_projections, self.blocks, self.verdicts, features, strict=True))
        for projection, block, verdict, slice_features in reversed(depths):
            projected = projection(slice_features)
            if x is not None:
                projected = projected + F.interpolate(x, size=projected.shape[-2:], mode="nearest")
            x = projected + block(projected)
            logits.append(verdict(x))
        return logits
