"""Darkness held: where a render is too dark to show anything, generators trained by day invent lit leaves and walls."""

from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.appearance.plane_filters import box_mean, ramp
from sflow_pipeline.tensors import Photo, to_luma

#: Mean luma, of -1 to 1, up to which nothing is invented, and from which everything may be: 2 and 8 of 255.
_DARK, _LIT = 2 / 127.5 - 1, 8 / 127.5 - 1
#: Side of the window in which it is measured, in shares of the height.
_NEAR = 1 / 40


def hold_darkness(
    photo: Photo, appearance: Photo, share: Float[Tensor, "b 1 1 1"] | float, frame_height: int | None = None
) -> Photo:
    """An image that is the appearance map where that is dark; elsewhere it stays.

    Args:
        photo, appearance: RGB in [-1, 1].
        share: 0 (the image's own) to 1 (the appearance map's).
        frame_height: in px, of the frame that the images are crops of; their own height when None.

    >>> import torch
    >>> leaves, night = torch.rand(1, 3, 80, 80) - 0.5, torch.full((1, 3, 80, 80), -0.99)
    >>> held, free = hold_darkness(leaves, night, 1.0), hold_darkness(leaves, night + 0.5, 1.0)
    >>> torch.equal(held, night), torch.equal(free, leaves)
    (True, True)
    """
    side = 2 * max(1, round(_NEAR * (frame_height or photo.shape[-2]) / 2)) + 1
    light = box_mean(to_luma(appearance.float()), side, count_outside=False)
    # On a GPU the mixture costs less than to wait for whether there is any.
    if light.device.type == "cpu" and bool(light.min() >= _LIT):
        return photo
    dark = ramp(light, _LIT, _DARK)
    return photo.lerp(appearance.to(photo.dtype), share * dark.to(photo.dtype))
