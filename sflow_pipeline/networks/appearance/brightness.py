"""Local brightness held: generators paint dark stains on walls and trees that stand against the light."""

from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.appearance.appearance import measure_full_detail
from sflow_pipeline.networks.appearance.cells import average_cells, average_near, enlarge_cells, find_cell_px
from sflow_pipeline.tensors import Photo, to_luma

#: How much brighter or darker than the map's a window's mean luma may be, of 2: 12 of 255.
_FREE = 12 / 127.5


def hold_brightness(
    photo: Photo, appearance: Photo, strength: Float[Tensor, "b 1 1 1"], frame_height: int | None = None
) -> Photo:
    """An image whose local brightness is within 12 of 255 of the appearance map's; finer detail stays.

    Args:
        photo, appearance: RGB in [-1, 1].
        strength: how far images follow the map: below 2/3, where it has no detail, nothing is held.
        frame_height: in px, of the frame that the images are crops of; their own height when None.

    >>> import torch
    >>> wall, stain = torch.zeros(1, 3, 96, 96), torch.full((1, 3, 96, 96), -0.5)
    >>> round(hold_brightness(stain, wall, torch.ones(1, 1, 1, 1)).mean().item() * 127.5)
    -12
    """
    cell_px = find_cell_px(frame_height or photo.shape[-2])
    difference = average_near(average_cells(to_luma(appearance) - to_luma(photo), cell_px))
    missing = difference - difference.clamp(-_FREE, _FREE)
    wide = enlarge_cells(missing, cell_px, (photo.shape[-2], photo.shape[-1]))
    return photo + measure_full_detail(strength) * wide
