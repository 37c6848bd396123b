"""A batch on the device: the tensor types that networks pass to each other."""

from collections.abc import Sequence
from typing import TypeAlias

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

#: (b, classes, h, w) one-hot class membership, {0, 1}; more channels where instance boundaries or palettes are shown.
SemanticMap: TypeAlias = Float[Tensor, "b classes h w"]
#: (b, 1, h, w) edge strength in [0, 1].
EdgeMap: TypeAlias = Float[Tensor, "b 1 h w"]
#: (b, 3, h, w) RGB in [-1, 1].
Photo: TypeAlias = Float[Tensor, "b 3 h w"]
#: (b, h, w) channel index of each pixel's class, position in the label space's class list.
ClassIndexMap: TypeAlias = UInt8[Tensor, "b h w"]

#: Weights of red, green and blue (ITU-R BT.601), which OpenCV uses, too.
LUMA = (0.299, 0.587, 0.114)


def fill_vector(values: Sequence[float], like: Tensor) -> Float[Tensor, " n"]:
    """Numbers as a vector on the device and in the number format of ``like``.

    The device fills it in: numbers that came from the host would make the host wait for a GPU.

    >>> fill_vector((0.25, 0.5), torch.zeros(1))
    tensor([0.2500, 0.5000])
    """
    return torch.stack([like.new_full((), value) for value in values])


def build_semantic_map(
    class_index: ClassIndexMap,
    classes: int,
    dtype: torch.dtype = torch.float32,
    boundary_map: UInt8[Tensor, "b 1 h w"] | None = None,
    palette_map: Float[Tensor, "b 3 h w"] | None = None,
) -> SemanticMap:
    """One-hot encode class indices; instance boundaries and colours, where there are any, become further channels.

    >>> build_semantic_map(torch.zeros(1, 4, 6, dtype=torch.uint8), classes=12).shape
    torch.Size([1, 12, 4, 6])
    """
    further = [plane for plane in (boundary_map, palette_map) if plane is not None]
    batch, height, width = class_index.shape
    count = classes + sum(plane.shape[1] for plane in further)
    semantic_map = torch.empty(batch, count, height, width, device=class_index.device, dtype=dtype)
    channels = torch.arange(classes, device=class_index.device, dtype=torch.uint8)
    torch.eq(class_index[:, None], channels[:, None, None], out=semantic_map[:, :classes])
    start = classes
    for plane in further:
        semantic_map[:, start : start + plane.shape[1]] = plane
        start += plane.shape[1]
    return semantic_map


def build_boundary_map(instance_map: Int[Tensor, "b h w"]) -> UInt8[Tensor, "b 1 h w"]:
    """1 at pixels that have another instance above, below, left or right of them (pix2pixHD's edge map).

    >>> build_boundary_map(torch.tensor([[[7, 7, 9, 9]]])).flatten().tolist()
    [0, 1, 1, 0]
    """
    across = instance_map[:, :, 1:] != instance_map[:, :, :-1]
    down = instance_map[:, 1:] != instance_map[:, :-1]
    boundary = torch.zeros(instance_map.shape, dtype=torch.bool, device=instance_map.device)
    boundary[:, :, 1:] |= across
    boundary[:, :, :-1] |= across
    boundary[:, 1:] |= down
    boundary[:, :-1] |= down
    return boundary[:, None].to(torch.uint8)


def to_unit_range(image: UInt8[Tensor, "b 3 h w"]) -> Photo:
    """Bytes to [-1, 1].

    >>> to_unit_range(torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)).max().item()
    1.0
    """
    return image.float() / 127.5 - 1.0


def to_luma(photo: Photo) -> Float[Tensor, "b 1 h w"]:
    """Luma (ITU-R BT.601) in the photo's own unit, also of a difference of photos.

    >>> to_luma(torch.full((1, 3, 2, 2), 0.5)).mean().item()
    0.5
    """
    return (photo * fill_vector(LUMA, photo).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def to_bytes(photo: Photo) -> UInt8[Tensor, "b 3 h w"]:
    """[-1, 1] to bytes, rounded and clipped.

    >>> to_bytes(torch.zeros(1, 3, 2, 2))[0, 0, 0, 0].item()
    128
    """
    return ((photo.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
