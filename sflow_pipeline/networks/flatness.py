"""Flat surfaces of vehicles stay flat: generators trained on photos of cars add lamps and lettering to bare panels."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.tensors import Photo

#: Side of the windows in which detail is measured, and below which it counts as detail, in shares of the height.
_NEAR, _FAR = 1 / 40, 1 / 8
#: Contrast, of 2, that a flat surface may have: reflections and noise of the camera.
_FREE_CONTRAST = 0.05


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
    inside = (member > 0).to(photo.dtype)
    weight = _box_mean(inside, far).clamp(min=1e-3)

    def split(picture: Tensor) -> tuple[Tensor, Tensor]:
        """The mean over the surface around each pixel, and the contrast of what differs from it."""
        low = _box_mean(picture * inside, far) / weight
        energy = ((picture - low) * inside).square().mean(dim=1, keepdim=True)
        return low, _box_mean(energy, near).clamp(min=0) / _box_mean(inside, near).clamp(min=1e-3)

    low, own = split(photo)
    _, allowed = split(appearance)
    gain = ((allowed + _FREE_CONTRAST**2) / (own + _FREE_CONTRAST**2)).clamp(max=1).sqrt()
    return photo + member * (gain - 1) * (photo - low)


def _box_mean(x: Tensor, side: int) -> Tensor:
    """Mean over a square around each pixel; beyond the picture is nothing."""
    reach = side // 2
    rows = F.avg_pool2d(x, (side, 1), 1, (reach, 0))
    return F.avg_pool2d(rows, (1, side), 1, (0, reach))
