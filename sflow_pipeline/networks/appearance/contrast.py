"""Contrast held: generators exaggerate that of walls and leaves, most of all in larger pictures than they have seen."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.appearance.plane_filters import box_mean, enlarge
from sflow_pipeline.tensors import Photo, to_luma

#: Side of the windows in which contrast is measured, in shares of the height, and how many cells they have in a row.
_NEAR, _NEAR_CELLS = 1 / 26, 5
#: Standard deviation of luma, of 2, that an image may have anywhere: texture on what the map shows as flat.
_FREE = 10 / 127.5


def hold_contrast(photo: Photo, appearance: Photo, strength: Float[Tensor, "b 1 1 1"]) -> Photo:
    """An image whose local contrast is at most the appearance map's, or a little; colour and light stay.

    Args:
        photo, appearance: RGB in [-1, 1].
        strength: how far images follow the map: below 2/3, where it has no detail, nothing is held.

    >>> import torch
    >>> harsh = torch.zeros(1, 3, 96, 96)
    >>> harsh[..., ::2, :] = 0.8
    >>> held, own = (hold_contrast(harsh, share * harsh, torch.ones(1, 1, 1, 1)) for share in (0.5, 1.5))
    >>> bool(held.std() < 0.6 * harsh.std()), bool(torch.allclose(own, harsh, atol=1e-4))
    (True, True)
    """
    height, width = photo.shape[-2:]
    cell_px = max(1, round(_NEAR * height / _NEAR_CELLS))
    luma, wanted = to_luma(photo), to_luma(appearance)
    planes = torch.cat([luma, luma.square(), wanted, wanted.square()], dim=1)
    cells = F.avg_pool2d(planes, cell_px, ceil_mode=True, count_include_pad=False)
    near = box_mean(cells, _NEAR_CELLS, count_outside=False)
    own, allowed = ((near[:, [i + 1]] - near[:, [i]].square()).clamp(min=0).sqrt() for i in (0, 2))
    gain = (allowed.clamp(min=_FREE) / own.clamp(min=_FREE)).clamp(max=1)
    size = cell_px * near.shape[-2], cell_px * near.shape[-1]
    wide = enlarge(torch.cat([near[:, :1], gain], dim=1), size)[..., :height, :width]
    share = (3 * strength - 2).clamp(min=0)
    return photo + share * (wide[:, 1:] - 1) * (luma - wide[:, :1])
