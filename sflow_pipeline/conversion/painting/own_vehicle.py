"""What an image shows where the recording vehicle's own body is, and masks of it that people give."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.resize import resize_nearest
from sflow_pipeline.errors import FrameError, UsageError
from sflow_pipeline.storage import image_codec

#: Tone is taken from the converted image below this share of the picture's height, detail from the render above it.
_TONE_SHARE_OF_HEIGHT = 1 / 20


def read_own_vehicle_mask(path: str | None) -> bytes | None:
    """The content of a mask's file; None without one.

    Raises:
        UsageError: it cannot be read, is no picture, or is black or nowhere black.
    """
    if path is None:
        return None
    way_out = "give a picture that is black but where the own vehicle is, or leave out --own-vehicle-mask"
    named = ("own_vehicle_mask",)
    try:
        data = Path(path).read_bytes()
        mask = image_codec.decode_rgb(data, name=path).any(axis=2)
    except OSError as error:
        raise UsageError(f"own_vehicle_mask {path}: {error.strerror}", hint=way_out, fields=named) from error
    except FrameError as error:
        raise UsageError(f"own_vehicle_mask {path}: {error.message}", hint=way_out, fields=named) from error
    if mask.all() or not mask.any():
        state = "nowhere black" if mask.all() else "black throughout"
        raise UsageError(f"own_vehicle_mask {path}: is {state}", hint=way_out, fields=named)
    return data


@lru_cache(maxsize=4)
def decode_own_vehicle_mask(data: bytes, height_px: int, width_px: int) -> NDArray[np.bool_]:
    """(h, w) mask at the size of a frame, by nearest neighbour; decoded once for each size."""
    brightest = image_codec.decode_rgb(data, name="own_vehicle_mask").max(axis=2)
    return np.asarray(resize_nearest(brightest, (width_px, height_px)) > 0)


def apply_own_vehicle(
    photo: NDArray[np.uint8], render: NDArray[np.uint8], mask: NDArray[np.bool_], treatment: Literal["keep", "mask"]
) -> NDArray[np.uint8]:
    """The image with the own vehicle kept as rendered, in the converted image's tone, or blacked out.

    Args:
        photo, render: (h, w, 3) uint8 RGB.
        mask: (h, w) where the own vehicle is.

    Returns:
        a new image; pixels outside the mask are those of ``photo``.
    """
    if treatment == "mask":
        return np.where(mask[..., None], np.uint8(0), photo)
    sigma = max(1.0, _TONE_SHARE_OF_HEIGHT * len(photo))
    inside = mask.astype(np.float32)
    difference = (photo.astype(np.float32) - render.astype(np.float32)) * inside[..., None]
    # Blurred within the mask alone, so that the road beside it does not tint it.
    weight = cv2.GaussianBlur(inside, (0, 0), sigma)[..., None]
    tone = cv2.GaussianBlur(difference, (0, 0), sigma) / np.maximum(weight, 1e-3)
    kept = np.clip(render + tone, 0, 255).round().astype(np.uint8)
    return np.where(mask[..., None], kept, photo)
