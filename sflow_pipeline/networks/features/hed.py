"""HED, the holistically-nested edge detector, and its VGG-16 as a perceptual network."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sflow_pipeline.networks.features.vgg import Vgg16Features
from sflow_pipeline.tensors import EdgeMap, Photo


class _CaffeNorm(nn.Module):
    """[-1, 1] RGB to 0 to 255 BGR with Caffe's ImageNet mean removed."""

    def __init__(self) -> None:
        super().__init__()
        mean = torch.tensor((104.00699, 116.66877, 122.67892)).view(1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.mean: Tensor

    def forward(self, photo: Photo) -> Tensor:
        return (photo.flip(1) + 1.0) * 127.5 - self.mean


class HedFeatures(Vgg16Features):
    """HED (Xie & Tu 2015): VGG-16 with an edge map after each of five depths and a learned mean of them.

    State-dict keys are VGG-16's in torchvision's numbering, ``side1`` to ``side5`` and ``fuse``. Activations are of the
    order of the 0 to 255 input, so distances are relative.
    """

    name = "HED-VGG-16"
    weights = (1.0, 1.0, 1.0, 1.0, 1.0)
    relative = True

    def __init__(self) -> None:
        super().__init__()
        self.normalise = _CaffeNorm()
        for index, channels in enumerate(self.channels, 1):
            self.add_module(f"side{index}", nn.Conv2d(channels, 1, 1))
        self.fuse = nn.Conv2d(len(self.channels), 1, 1)

    def detect_edges(self, photo: Photo) -> EdgeMap:
        """Edge strength at the photo's size."""
        sides = [
            F.interpolate(self.get_submodule(f"side{index}")(x), photo.shape[-2:], mode="bilinear", align_corners=False)
            for index, x in enumerate(self(photo), 1)
        ]
        return torch.sigmoid(self.fuse(torch.cat(sides, dim=1)))
