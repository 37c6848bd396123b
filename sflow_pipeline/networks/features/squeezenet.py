"""SqueezeNet as a perceptual network: small enough for a CPU, versions 1.0 and 1.1."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sflow_pipeline.networks.features.perceptual_network import PerceptualNetwork


class _Fire(nn.Module):
    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return torch.cat((F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))), dim=1)


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, 2, ceil_mode=True)


class SqueezeNetFeatures(PerceptualNetwork):
    """SqueezeNet 1.0 (Iandola et al. 2016) in torchvision's state-dict layout, features after three depths."""

    name = "SqueezeNet 1.0"
    slices = (4, 7, 12)
    channels = (128, 256, 512)
    weights = (0.5, 0.5, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.features = self._build_layers()

    def _build_layers(self) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(3, 96, 7, stride=2), nn.ReLU(), _pool(),
            _Fire(96, 16, 64), _Fire(128, 16, 64), _Fire(128, 32, 128), _pool(),
            _Fire(256, 32, 128), _Fire(256, 48, 192), _Fire(384, 48, 192), _Fire(384, 64, 256), _pool(),
            _Fire(512, 64, 256),
        )  # fmt: skip


class SqueezeNet11Features(SqueezeNetFeatures):
    """SqueezeNet 1.1: 2.4 times less arithmetic, pools earlier; features after the same layers."""

    name = "SqueezeNet 1.1"

    def _build_layers(self) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), _pool(),
            _Fire(64, 16, 64), _Fire(128, 16, 64), _pool(), _Fire(128, 32, 128), _Fire(256, 32, 128), _pool(),
            _Fire(256, 48, 192), _Fire(384, 48, 192), _Fire(384, 64, 256), _Fire(512, 64, 256),
        )  # fmt: skip
