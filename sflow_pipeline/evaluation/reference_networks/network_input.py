"""Pictures as network input: size, by a named filter, and value range."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sflow_pipeline.evaluation.reference_networks.spec import FilterName, InputRange, NetworkSpec
from sflow_pipeline.networks.features.imagenet import IMAGENET_MEAN, IMAGENET_STD


def build_input(pictures: NDArray[np.uint8], spec: NetworkSpec, device: str) -> Float[Tensor, "n 3 h w"]:
    """Pictures of one size as the network's input.

    Args:
        pictures: (n, h, w, 3) uint8 RGB.
        spec: of the network.
        device: where the batch goes.

    >>> spec = NetworkSpec(file="network.pt", size_px=(8, 4), input_range="0..1")
    >>> batch = build_input(np.full((1, 10, 10, 3), 255, np.uint8), spec, "cpu")
    >>> batch.shape, round(batch.max().item(), 3)
    (torch.Size([1, 3, 4, 8]), 1.0)
    """
    batch = torch.from_numpy(np.ascontiguousarray(pictures)).to(device).permute(0, 3, 1, 2).float()
    resized = batch if spec.size_px is None else resize_photo(batch, spec.size_px, spec.filter)
    return scale_values(resized, spec.input_range)


def resize_photo(
    batch: Float[Tensor, "b 3 h w"], size_px: tuple[int, int], filter: FilterName
) -> Float[Tensor, "b 3 h2 w2"]:
    """Bring photos to ``size_px`` = (width, height); pictures that have it are left alone.

    ``antialias_bilinear`` weighs all source pixels under a triangle as wide as the reduction (as Pillow does);
    ``bilinear`` takes the four nearest, as many evaluation scripts do; ``area`` averages what a pixel covers.
    """
    width, height = size_px
    if batch.shape[-2:] == (height, width):
        return batch
    if filter == "area":
        planes = [cv2.resize(p.permute(1, 2, 0).cpu().numpy(), size_px, interpolation=cv2.INTER_AREA) for p in batch]
        return torch.from_numpy(np.stack(planes)).permute(0, 3, 1, 2).to(batch.device)
    antialias = filter == "antialias_bilinear"
    return F.interpolate(batch, (height, width), mode="bilinear", align_corners=False, antialias=antialias)


def scale_values(batch: Float[Tensor, "b 3 h w"], input_range: InputRange) -> Float[Tensor, "b 3 h w"]:
    """0 to 255 to the range that a network was trained with."""
    if input_range == "0..255":
        return batch
    if input_range == "-1..1":
        return batch / 127.5 - 1.0
    unit = batch / 255.0
    if input_range == "0..1":
        return unit
    mean = torch.tensor(IMAGENET_MEAN, device=batch.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=batch.device).view(1, 3, 1, 1)
    return (unit - mean) / std
