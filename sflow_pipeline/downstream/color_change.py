"""Random changes of exposure, contrast and white balance, the same kind for every arm."""

import torch

from sflow_pipeline.tensors import Photo

_CONTRAST = (0.6, 1.4)
_BRIGHTNESS = (-0.25, 0.25)
_CHANNEL = (0.85, 1.15)


def change_colors(photo: Photo, rng: torch.Generator) -> Photo:
    """Contrast, brightness and colour balance of every picture drawn anew.

    Args:
        photo: (b, 3, h, w) in [-1, 1].
        rng: of the CPU.

    >>> change_colors(torch.zeros(2, 3, 4, 4), torch.Generator().manual_seed(1)).shape
    torch.Size([2, 3, 4, 4])
    """

    def draw(bounds: tuple[float, float], channels: int) -> torch.Tensor:
        low, high = bounds
        drawn = torch.rand(len(photo), channels, 1, 1, generator=rng)
        return (low + (high - low) * drawn).to(photo.device)

    light = (photo + 1) * draw(_CHANNEL, 3)  # balance scales light, which is 0 for black
    return ((light - 1) * draw(_CONTRAST, 1) + draw(_BRIGHTNESS, 1)).clamp(-1, 1)
