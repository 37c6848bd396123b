"""Test photos as a network gets them."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.networks.device import Device
from sflow_pipeline.tensors import Photo, to_unit_range

_LARGEST_ENLARGEMENT = 1.25
_SMALLEST_SIDE_PX = 32


def scale_photo(photo: NDArray[np.uint8], width_px: int, device: Device) -> Photo:
    """(1, 3, h2, w2) in [-1, 1], ``width_px`` wide, of a photo (h, w, 3) uint8; enlarged by a quarter at most."""
    height, width = photo.shape[:2]
    scale = min(width_px / width, _LARGEST_ENLARGEMENT)
    size = (max(_SMALLEST_SIDE_PX, round(width * scale)), max(_SMALLEST_SIDE_PX, round(height * scale)))
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = np.ascontiguousarray(cv2.resize(photo, size, interpolation=smooth))
    picture = to_unit_range(torch.from_numpy(scaled).permute(2, 0, 1)[None].to(device.name))
    return picture.contiguous(memory_format=torch.channels_last)
