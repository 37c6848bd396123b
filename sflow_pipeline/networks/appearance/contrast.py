"""Contrast held: generators exaggerate that of walls and leaves, most of all in larger pictures than they have seen."""

import torch
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.appearance.appearance import measure_full_detail
from sflow_pipeline.networks.appearance.cells import (
    average_cells,
    average_near,
    enlarge_cells,
    find_cell_px,
    measure_deviation,
)
from sflow_pipeline.tensors import Photo, to_luma

#: Standard deviation of luma, of 2, that an image may have anywhere: texture on what the map shows as flat.
_FREE = 10 / 127.5


def hold_contrast(
    photo: Photo, appearance: Photo, strength: Float[Tensor, "b 1 1 1"], frame_height: int | None = None
) -> Photo:
    """An image whose local contrast is at most the appearance map's, or a little; colour and light stay.

    Args:
        photo, appearance: RGB in [-1, 1].
        strength: how far images follow the map: below 2/3, where it has no detail, nothing is held.
        frame_height: in px, of the frame that the images are crops of; their own height when None.

    >>> import torch
    >>> harsh = torch.zeros(1, 3, 96, 96)
    >>> harsh[..., ::2, :] = 0.8
    >>> held, own = (hold_contrast(harsh, share * harsh, torch.ones(1, 1, 1, 1)) for share in (0.5, 1.5))
    >>> bool(held.std() < 0.6 * harsh.std()), bool(torch.allclose(own, harsh, atol=1e-4))
    (True, True)
    """
    luma, wanted = to_luma(photo), to_luma(appearance)
    cell_px = find_cell_px(frame_height or photo.shape[-2])
    planes = torch.cat([luma, luma.square(), wanted, wanted.square()], dim=1)
    near = average_near(average_cells(planes, cell_px))
    own, allowed = (measure_deviation(near[:, [i]], near[:, [i + 1]]) for i in (0, 2))
    gain = (allowed.clamp(min=_FREE) / own.clamp(min=_FREE)).clamp(max=1)
    wide = enlarge_cells(torch.cat([near[:, :1], gain], dim=1), cell_px, (photo.shape[-2], photo.shape[-1]))
    return photo + measure_full_detail(strength) * (wide[:, 1:] - 1) * (luma - wide[:, :1])
