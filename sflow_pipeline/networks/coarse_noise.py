"""Noise for a generator's coarsest features: what a convolution needs in order not to repeat itself."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

#: Cells of the noise along each side; at a stride of 16 it comes round after 1024 pixels.
TILE = 64


class CoarseNoise(nn.Module):
    """Adds noise that is the same at the same place of every picture, as strong in each channel as it learned.

    Where its input is flat, a convolutional network that works from a coarse grid up can only paint the same cell again
    and again: trees become a lattice. Noise (StyleGAN, Karras et al. 2019) tells the cells apart. It is part of the
    weights and no new draw, so a frame is painted the same whenever, wherever and beside whichever others it is.

    Args:
        channels: of the features.
        maps: independent noises, mixed for each channel.

    >>> CoarseNoise(channels=8, maps=2)(torch.zeros(1, 8, 5, 70)).shape
    torch.Size([1, 8, 5, 70])
    """

    tile: Tensor

    def __init__(self, channels: int, maps: int) -> None:
        super().__init__()
        noise = torch.randn(1, maps, TILE, TILE, generator=torch.Generator().manual_seed(0))
        self.register_buffer("tile", noise)
        self.mix = nn.Conv2d(maps, channels, 1, bias=False)
        nn.init.normal_(self.mix.weight, std=0.02)
        self.offset = (0, 0)  # in cells, down and right; training moves it, so that no noise belongs to one place

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        rows, columns = (
            (torch.arange(size, device=x.device) + start) % TILE
            for size, start in zip(x.shape[-2:], self.offset, strict=True)
        )
        mixed: Tensor = self.mix(self.tile[:, :, rows[:, None], columns])
        return x + mixed
