"""Detail held at an appearance map's, where the simulator shows it better than generators invent it.

Generators draw lamps, letters and ripples on bare panels of vehicles, break the pictures on trucks, paint skies bright
around what stands before them and bright ground with the hatch of paving, and know nothing of what has no class.
"""

from enum import IntEnum

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.networks.appearance.appearance import measure_full_detail, smooth_within_edges
from sflow_pipeline.networks.appearance.cells import (
    average_cells,
    average_near,
    enlarge_cells,
    find_cell_px,
    measure_deviation,
)
from sflow_pipeline.networks.appearance.plane_filters import box_mean, ramp
from sflow_pipeline.tensors import Photo, to_luma


class Surface(IntEnum):
    """What of a class's detail is held."""

    FREE = 0  #: only where it is bright
    WHOLE = 1  #: all of it: the sky, and what has no class
    PANELS = 2  #: vehicles: flat surfaces, and the inside of what is large in the picture
    CROWNS = 3  #: plants: most of it, where there is detail


#: Side of the window, in shares of the height, beyond which a difference to the map counts as colour and light rather
#: than detail, and which a large vehicle fills.
_FAR = 1 / 8
#: Steps of the map's luma, of 2, across which the image's colour and light may change, and by how much of a step:
#: contrasts of letters and leaves may be the image's between 0.7 and 1.3 of the map's.
_STEP, _CHANGE = 0.03, 0.3
#: Standard deviation of the map's luma, of 2, up to which a panel is flat, and from which on it is not at all.
_FLAT, _UNEVEN = 4 / 127.5, 8 / 127.5
#: The same of crowns as a share of their light, up to which the generator draws all leaves, and from which on the map
#: shows its own; and what is added to the light, so that noise in the dark is no leaves: 8 of 255.
_PLAIN, _LEAFY, _DIM = 0.15, 0.3, 8 / 127.5
#: Share of a leafy crown's detail that is held.
_CROWN_SHARE = 0.8
#: Share of the window that a vehicle fills where the holding of its inside begins.
_FILLED = 0.8
#: Luma, of -1 to 1, from which on detail is held in part, and wholly: 153 and 191 of 255.
_BRIGHT, _WHITE = 0.2, 0.5


def list_surfaces(space: LabelSpace) -> list[Surface]:
    """What of the detail is held, for each channel of a label space.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> space = load_label_space("camvid11")
    >>> [(c.name, s.name) for c, s in zip(space.classes, list_surfaces(space)) if s]
    [('sky', 'WHOLE'), ('tree', 'CROWNS'), ('car', 'PANELS'), ('void', 'WHOLE')]
    """
    vehicles = space.vehicle_channels
    surfaces = []
    for channel, item in enumerate(space.classes):
        concept = item.concepts[0] if item.concepts else ""
        if concept == "sky" or channel == space.void_channel:
            surfaces.append(Surface.WHOLE)
        elif channel in vehicles:
            surfaces.append(Surface.PANELS)
        elif concept.startswith("nature.vegetation"):
            surfaces.append(Surface.CROWNS)
        else:
            surfaces.append(Surface.FREE)
    return surfaces


def hold_detail(
    photo: Photo,
    appearance: Photo,
    surface: Int64[Tensor, "b 1 h w"],
    strength: Float[Tensor, "b 1 1 1"],
    frame_height: int | None = None,
) -> Photo:
    """An image with an appearance map's detail where ``measure_share`` says, in its own colours and light.

    Args:
        photo, appearance: RGB in [-1, 1].
        surface: a ``Surface`` per pixel.
        strength: how far images follow the map: 1 is the picture itself; below 2/3 a map has no detail, and only flat
            panels of vehicles are held, as far.
        frame_height: in px, of the frame that the images are crops of; their own height when None.

    >>> import torch
    >>> lamps, bare = torch.full((1, 3, 80, 80), -0.4), torch.full((1, 3, 80, 80), -0.1)
    >>> lamps[..., ::4] = 0.4
    >>> vehicle, strength = torch.full((1, 1, 80, 80), Surface.PANELS.value), torch.ones(1, 1, 1, 1)
    >>> held = hold_detail(lamps, bare, vehicle, strength)
    >>> bool(held.std() < 0.05), round(held.mean().item(), 1)
    (True, -0.2)
    """
    height = frame_height or photo.shape[-2]
    share = measure_share(appearance, surface, strength, height)
    difference = appearance - photo
    reach_px = max(1, round(_FAR * height / 2))
    return photo + share * (difference - smooth_within_edges(difference, appearance, reach_px, _STEP, _CHANGE))


def measure_share(
    appearance: Photo, surface: Int64[Tensor, "b 1 h w"], strength: Float[Tensor, "b 1 1 1"], frame_height: int
) -> Float[Tensor, "b 1 h w"]:
    """Share of the detail that is held, 0 to 1, per pixel; arguments are those of ``hold_detail``."""
    height, width = appearance.shape[-2:]
    cell_px = find_cell_px(frame_height)
    far = 2 * max(1, round(_FAR * frame_height / cell_px / 2)) + 1
    whole, vehicle, plant = (
        (surface == kind).to(appearance.dtype) for kind in (Surface.WHOLE, Surface.PANELS, Surface.CROWNS)
    )
    luma = to_luma(appearance)
    planes = torch.cat([_list_moments(luma, vehicle), _list_moments(luma, plant), luma], dim=1)
    cells = average_cells(planes, cell_px)
    near = average_near(cells)
    light = near[:, 6:]
    flat = ramp(_measure_contrast(near[:, :3]), _UNEVEN, _FLAT)
    inside = ramp(box_mean(cells[:, :1], far, count_outside=False), _FILLED, 1.0)
    leafy = _CROWN_SHARE * ramp(_measure_contrast(near[:, 3:6]) / (1 + light + _DIM), _PLAIN, _LEAFY)
    bright = ramp(light, _BRIGHT, _WHITE)
    wide = enlarge_cells(torch.cat([flat, inside, leafy, bright], dim=1), cell_px, (height, width))
    flat, inside, leafy, bright = (wide[:, [number]] for number in range(4))
    detailed = whole.maximum(bright).maximum(vehicle * inside).maximum(plant * leafy)
    return (strength * vehicle * flat).maximum(measure_full_detail(strength) * detailed)


def _list_moments(luma: Float[Tensor, "b 1 h w"], inside: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 3 h w"]:
    """What means of a surface's luma and of its square are made of; 0 outside it."""
    held = luma * inside
    return torch.cat([inside, held, held * luma], dim=1)


def _measure_contrast(means: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    """Standard deviation of a surface's luma, of means of its moments."""
    first, second = (means[:, [number]] / means[:, :1].clamp(min=1e-3) for number in (1, 2))
    return measure_deviation(first, second)
