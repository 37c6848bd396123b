"""Chroma held at an appearance map's: objects keep their hue, whatever the generator has seen more often."""

from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.networks.appearance.plane_filters import blur, ramp
from sflow_pipeline.tensors import Photo, to_luma

#: Share of the chroma that is held: for objects, whose hue has a meaning, and for surfaces, whose tone may change.
_OBJECT_SHARE, _SURFACE_SHARE = 0.9, 0.4
_OBJECTS = ("vehicle", "human", "object.traffic", "animal", "void")
#: Chroma is held below this scale; finer colour detail is the generator's.
_SIGMA_PX = 2.0
#: Root of the mean square chroma of the map, in [0, 2], up to which a surface has its class's share, and from which on
#: an object's: yellow lines, red kerbs, banners. Colours of a pixel's size do not count.
_PALE, _VIVID, _NEAR_PX = 15 / 127.5, 40 / 127.5, 1.0


def list_chroma_shares(space: LabelSpace) -> list[float]:
    """The share of the chroma that is held, for each channel of a label space.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> space = load_label_space("camvid11")
    >>> [c.name for c, share in zip(space.classes, list_chroma_shares(space)) if share > 0.5]
    ['sign', 'car', 'pedestrian', 'bicyclist', 'void']
    """
    return [
        _OBJECT_SHARE if any(name.startswith(_OBJECTS) for name in item.concepts[:1]) else _SURFACE_SHARE
        for item in space.classes
    ]


def hold_chroma(
    photo: Photo,
    appearance: Photo,
    share: Float[Tensor, "b 1 h w"],
    strength: Float[Tensor, "b 1 1 1"] | float = 1.0,
) -> Photo:
    """Move the low-pass chroma of an image towards an appearance map's; luma stays.

    Args:
        photo, appearance: RGB in [-1, 1].
        share: 0 (the image's own) to 1 (the appearance map's), per pixel; more where the map's colours are vivid.
        strength: 0 to 1, by which both are multiplied.

    >>> import torch
    >>> red = torch.tensor([0.8, -0.6, -0.6]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    >>> grey = torch.zeros(1, 3, 32, 32)
    >>> held = hold_chroma(grey, red, torch.ones(1, 1, 32, 32))
    >>> [round(value, 2) for value in held.mean(dim=(0, 2, 3)).tolist()]
    [0.98, -0.42, -0.42]
    """
    appearance = appearance.float()
    share = share.maximum(_OBJECT_SHARE * measure_vividness(appearance))
    difference = appearance - photo.float()
    chroma = difference - to_luma(difference)
    return (photo.float() + strength * share * blur(chroma, _SIGMA_PX)).clamp(-1, 1)


def measure_vividness(appearance: Photo) -> Float[Tensor, "b 1 h w"]:
    """How vivid the colours of an appearance map are, 0 (pale) to 1, per pixel.

    >>> import torch
    >>> measure_vividness(torch.tensor([0.8, -0.6, -0.6]).view(1, 3, 1, 1).expand(1, 3, 8, 8))[0, 0, 4, 4].item()
    1.0
    """
    own = appearance - to_luma(appearance)
    return ramp(blur(own.square().mean(dim=1, keepdim=True).sqrt(), _NEAR_PX), _PALE, _VIVID)
