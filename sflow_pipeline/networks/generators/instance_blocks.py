"""Blocks with instance norm, which pix2pixHD's generators are made of."""

from torch import Tensor, nn


class InstanceResBlock(nn.Module):
    """Two reflected 3x3 convolutions with instance norm, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), *norm_relu(channels),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.layers(x)
        return x + residual


def norm_relu(channels: int) -> tuple[nn.Module, nn.Module]:
    """Instance norm, then ReLU: what follows every convolution of pix2pixHD's generators."""
    return nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)
