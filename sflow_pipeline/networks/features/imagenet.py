"""Input normalisation of networks trained on ImageNet."""

import torch
from torch import Tensor, nn

from sflow_pipeline.tensors import Photo

#: Mean and standard deviation of RGB in [0, 1] over ImageNet.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ImagenetNorm(nn.Module):
    """[-1, 1] to zero mean and unit variance per channel over ImageNet; nothing of it is in a state dict.

    >>> ImagenetNorm()(torch.full((1, 3, 2, 2), 0.485 * 2 - 1))[0, 0, 0, 0].abs().item() < 1e-6
    True
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, photo: Photo) -> Tensor:
        return ((photo + 1.0) / 2.0 - self.mean) / self.std
