"""The frozen perceptual network: SqueezeNet 1.0 slices, loaded from a file that the user names."""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.tensors import Photo

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class _Fire(nn.Module):
    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return torch.cat((F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))), dim=1)


class SqueezeNetFeatures(nn.Module):
    """SqueezeNet 1.0 (Iandola et al. 2016) in torchvision's state-dict layout, features after three depths."""

    #: Layers after which features are taken.
    slices = (4, 7, 12)
    #: Weight of each slice; deeper slices speak of content, earlier ones of texture.
    weights = (0.5, 0.5, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 7, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
            _Fire(96, 16, 64), _Fire(128, 16, 64), _Fire(128, 32, 128), nn.MaxPool2d(3, 2, ceil_mode=True),
            _Fire(256, 32, 128), _Fire(256, 48, 192), _Fire(384, 48, 192), _Fire(384, 64, 256),
            nn.MaxPool2d(3, 2, ceil_mode=True), _Fire(512, 64, 256),
        )  # fmt: skip
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, photo: Photo) -> list[Tensor]:
        """Features of each slice, shallow first."""
        x = ((photo + 1.0) / 2.0 - self.mean) / self.std
        features = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.slices:
                features.append(x)
        return features


def load_perceptual(path: str | Path) -> SqueezeNetFeatures:
    """The frozen network from a safetensors file; TrainingError names the file and what it lacks."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise TrainingError(
            f"perceptual weights {path}: not a .safetensors file",
            hint="convert a torch state dict once with safetensors.torch.save_file(state_dict, path)",
        )
    try:
        state = load_file(path)
    except Exception as error:
        raise TrainingError(
            f"perceptual weights {path}: cannot be read ({error})", hint="name a complete safetensors file"
        ) from error
    network = SqueezeNetFeatures()
    wanted = network.state_dict()
    missing = [k for k in wanted if k not in state or state[k].shape != wanted[k].shape]
    if missing:
        raise TrainingError(
            f"perceptual weights {path}: {len(missing)} of {len(wanted)} SqueezeNet 1.0 tensors are absent or "
            f"of another shape, first {missing[0]}",
            hint="use SqueezeNet 1.0 ImageNet weights in torchvision's state-dict layout",
        )
    network.load_state_dict({k: state[k].float() for k in wanted})
    return network.eval().requires_grad_(False)
