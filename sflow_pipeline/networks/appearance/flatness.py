"""Flat surfaces of vehicles stay flat: generators trained on photos of cars add lamps and lettering to bare panels."""

import cv2
import numpy as np
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.appearance.plane_filters import box_mean
from sflow_pipeline.tensors import Photo

#: Side of the windows in which detail is measured, and below which it counts as detail, in shares of the height.
_NEAR, _FAR = 1 / 40, 1 / 8
#: Contrast, of 2, that a flat surface may have: reflections and noise of the camera.
_FREE_CONTRAST = 0.02


def hold_flatness(photo: Photo, appearance: Photo, member: Float[Tensor, "b 1 h w"]) -> Photo:
    """An image whose detail, where ``member`` is 1, is no stronger than the appearance map's; elsewhere it stays.

    Detail is the difference to the mean over a large window of the same class. Its contrast is measured in small
    windows in both, and lowered to the map's where it is higher; a little is free.

    Args:
        photo, appearance: RGB in [-1, 1].
        member: 1 on the surfaces, 0 elsewhere; between, part of the change.

    >>> import torch
    >>> lamps, bare = torch.zeros(1, 3, 80, 80), torch.zeros(1, 3, 80, 80)
    >>> lamps[..., ::4] = 0.8
    >>> everywhere = torch.ones(1, 1, 80, 80)
    >>> bool(hold_flatness(lamps, bare, everywhere).std() < 0.3 * lamps.std())
    True
    >>> bool(torch.allclose(hold_flatness(lamps, lamps, everywhere), lamps, atol=1e-5))
    True
    """
    height = photo.shape[-2]
    near, far = (2 * max(1, round(share * height / 2)) + 1 for share in (_NEAR, _FAR))
    # On a GPU the whole picture costs less than to wait for where its surfaces are.
    region = _find_region(member) if member.device.type == "cpu" else (slice(None),) * 4
    if region is None:
        return photo
    held = photo.clone()
    held[region] = _hold(photo[region], appearance[region], member[region], near, far)
    return held


def _hold(photo: Photo, appearance: Photo, member: Float[Tensor, "b 1 h w"], near: int, far: int) -> Photo:
    """The same with the sides of the windows in pixels."""
    inside = (member > 0).to(photo.dtype)
    weight = box_mean(inside, far, count_outside=True).clamp(min=1e-3)
    weight_near = box_mean(inside, near, count_outside=True).clamp(min=1e-3)

    def split(picture: Tensor) -> tuple[Tensor, Tensor]:
        """What differs from the mean over the surface around each pixel, and its contrast."""
        detail = (picture - box_mean(picture * inside, far, count_outside=True) / weight) * inside
        energy = detail.square().mean(dim=1, keepdim=True)
        return detail, box_mean(energy, near, count_outside=True).clamp(min=0) / weight_near

    detail, own = split(photo)
    _, allowed = split(appearance)
    gain = ((allowed + _FREE_CONTRAST**2) / (own + _FREE_CONTRAST**2)).clamp(max=1).sqrt()
    return photo + member * (gain - 1) * detail


def _find_region(member: Float[Tensor, "b 1 h w"]) -> tuple[slice, ...] | None:
    """The rectangle around all that is not 0; None if everything is. Outside it nothing is read or changed."""
    inside = np.asarray((member.numpy() > 0).any(axis=(0, 1)), np.uint8)
    left, top, width, height = cv2.boundingRect(inside)
    if not width:
        return None
    return slice(None), slice(None), slice(top, top + height), slice(left, left + width)
