"""A batch on the device: the tensor types that networks pass to each other."""

from typing import TypeAlias

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

#: (b, classes, h, w) one-hot class membership, {0, 1}.
SemanticMap: TypeAlias = Float[Tensor, "b classes h w"]
#: (b, 1, h, w) edge strength in [0, 1].
EdgeMap: TypeAlias = Float[Tensor, "b 1 h w"]
#: (b, 3, h, w) RGB in [-1, 1].
Photo: TypeAlias = Float[Tensor, "b 3 h w"]
#: (b, h, w) channel index of each pixel's class, position in the label space's class list.
ClassIndexMap: TypeAlias = UInt8[Tensor, "b h w"]


def build_semantic_map(class_index: ClassIndexMap, classes: int, dtype: torch.dtype = torch.float32) -> SemanticMap:
    """One-hot encode class indices.

    >>> build_semantic_map(torch.zeros(1, 4, 6, dtype=torch.uint8), classes=12).shape
    torch.Size([1, 12, 4, 6])
    """
    channels = torch.arange(classes, device=class_index.device, dtype=torch.uint8)
    return (class_index[:, None] == channels[None, :, None, None]).to(dtype)


def to_unit_range(image: UInt8[Tensor, "b 3 h w"]) -> Photo:
    """Bytes to [-1, 1].

    >>> to_unit_range(torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)).max().item()
    1.0
    """
    return image.float() / 127.5 - 1.0


def to_bytes(photo: Photo) -> UInt8[Tensor, "b 3 h w"]:
    """[-1, 1] to bytes, rounded and clipped.

    >>> to_bytes(torch.zeros(1, 3, 2, 2))[0, 0, 0, 0].item()
    128
    """
    return ((photo.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
