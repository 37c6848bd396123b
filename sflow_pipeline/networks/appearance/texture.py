"""Texture of surfaces in what the generator is given: fainter than in the appearance map, so that it paints its own.

Fine texture is where renders differ most from photos, and a generator that is given all of it returns it.
"""

from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.networks.appearance.appearance import smooth_within_edges
from sflow_pipeline.networks.appearance.chroma import measure_vividness

#: Share of the texture that is taken away: of roads and pavements; of buildings, fences and plants.
_SHARES = {"flat": 0.7, "construction": 0.2, "nature": 0.2}
#: Texture is what lies below this reach, in px, and varies less than this, as a standard deviation of luma (of 2).
_REACH_PX, _CONTRAST = 4, 0.05


def list_faded_shares(space: LabelSpace) -> list[float]:
    """The share of the texture that is taken away, for each channel of a label space.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> space = load_label_space("camvid11")
    >>> [(c.name, share) for c, share in zip(space.classes, list_faded_shares(space)) if share]
    [('building', 0.2), ('road', 0.7), ('pavement', 0.7), ('tree', 0.2), ('fence', 0.2)]
    """
    kinds = ((item.concepts[0] if item.concepts else "").partition(".")[0] for item in space.classes)
    return [_SHARES.get(kind, 0.0) for kind in kinds]


def fade_texture(appearance: Float[Tensor, "b 3 h w"], share: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 3 h w"]:
    """An appearance map with less texture; edges, and what is vivid, such as yellow lines and letters, stay.

    Args:
        appearance: RGB in [-1, 1].
        share: how much of the texture is taken away, 0 to 1, per pixel.

    >>> import torch
    >>> grain = torch.rand(1, 1, 64, 64).expand(1, 3, 64, 64) * 0.1
    >>> bool(fade_texture(grain, torch.ones(1, 1, 64, 64)).std() < 0.5 * grain.std())
    True
    >>> edge = torch.zeros(1, 3, 64, 64)
    >>> edge[..., 32:] = 1.0
    >>> bool((fade_texture(edge, torch.ones(1, 1, 64, 64)) - edge).abs().mean() < 0.02)
    True
    """
    smooth = smooth_within_edges(appearance, appearance, _REACH_PX, _CONTRAST)
    return appearance + share * (1 - measure_vividness(appearance)) * (smooth - appearance)
