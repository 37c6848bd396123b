"""The semantic discriminator: names the class of every pixel of a photo, and calls the pixels of a fake fake."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from sflow_pipeline.networks.layers import PixelNorm


class SemanticDiscriminator(nn.Module):
    """A segmenter with one class more, "fake" (OASIS, Schönfeld et al. 2021), that sees with the frozen eyes of the
    perceptual network (Projected GAN, Sauer et al. 2021).

    What it asks of a generator is what a converter is for: pixels that look like a photo of their class. On features
    that are known from the start it learns within hundreds of images what a PatchGAN learns in tens of thousands, and
    the features are at hand, because the perceptual loss needs them too.

    Args:
        channels: of each slice of the perceptual network's features, shallow first.
        classes: of the label space; fake comes after them.
        width: channels of its own layers.

    >>> import torch
    >>> judge = SemanticDiscriminator(channels=(4, 8), classes=3, width=6)
    >>> [tuple(logits.shape) for logits in judge([torch.zeros(1, 4, 12, 16), torch.zeros(1, 8, 6, 8)])]
    [(1, 4, 6, 8), (1, 4, 12, 16)]
    """

    def __init__(self, channels: Sequence[int], classes: int, width: int) -> None:
        super().__init__()
        self.doors = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.blocks = nn.ModuleList(
            nn.Sequential(PixelNorm(), nn.LeakyReLU(0.2), nn.Conv2d(width, width, 3, padding=1)) for _ in channels
        )
        self.verdicts = nn.ModuleList(
            nn.Sequential(PixelNorm(), nn.LeakyReLU(0.2), nn.Conv2d(width, classes + 1, 1)) for _ in channels
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Logits of every slice's size, deep first: each depth is asked by itself, told what deeper ones think."""
        x: Tensor | None = None
        answers = []
        depths = list(zip(self.doors, self.blocks, self.verdicts, features, strict=True))
        for door, block, verdict, seen in reversed(depths):
            entered = door(seen)
            if x is not None:
                entered = entered + F.interpolate(x, size=entered.shape[-2:], mode="nearest")
            x = entered + block(entered)
            answers.append(verdict(x))
        return answers
