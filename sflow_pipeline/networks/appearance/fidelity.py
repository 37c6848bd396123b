"""What of renders the generator is given, and what images keep of them after it; in conversion and training alike."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.networks.appearance.appearance import measure_full_detail
from sflow_pipeline.networks.appearance.brightness import hold_brightness
from sflow_pipeline.networks.appearance.chroma import hold_chroma, list_chroma_shares
from sflow_pipeline.networks.appearance.contrast import hold_contrast
from sflow_pipeline.networks.appearance.darkness import hold_darkness
from sflow_pipeline.networks.appearance.detail import hold_detail, list_surfaces
from sflow_pipeline.networks.appearance.illumination import HELD_ILLUMINATION, hold_illumination
from sflow_pipeline.networks.appearance.texture import fade_texture, list_faded_shares
from sflow_pipeline.tensors import ClassIndexMap, Photo


@dataclass(frozen=True)
class ClassFidelity:
    """What is kept of each class of a label space.

    Attributes:
        surfaces: a ``Surface`` per channel: where its detail is held.
        chroma_shares: share of its chroma that is held, 0 to 1.
        faded_shares: share of its texture that the generator is not given, 0 to 1.
    """

    surfaces: Int64[Tensor, " classes"]
    chroma_shares: Float[Tensor, " classes"]
    faded_shares: Float[Tensor, " classes"]

    @classmethod
    def build(cls, space: LabelSpace, device: str) -> "ClassFidelity":
        """That of a label space, on a device."""
        return cls(
            torch.tensor(list_surfaces(space), device=device),
            torch.tensor(list_chroma_shares(space), device=device),
            torch.tensor(list_faded_shares(space), device=device),
        )


def show_render(
    appearance: Photo, class_index: ClassIndexMap, fidelity: ClassFidelity, strength: Float[Tensor, " b"]
) -> Photo:
    """What the generator is given of an appearance map: all but some texture of surfaces, as far as the map has any.

    Args:
        appearance: RGB in [-1, 1].
        strength: how far each image follows its map, 0 to 1; up to 2/3 a map has no texture, and stays.
    """
    share = fidelity.faded_shares[class_index.long()[:, None]]
    return fade_texture(appearance, share * measure_full_detail(strength.view(-1, 1, 1, 1)))


def hold_render(
    photo: Photo,
    appearance: Photo,
    class_index: ClassIndexMap,
    fidelity: ClassFidelity,
    strength: Float[Tensor, " b"],
    frame_px: tuple[int, int] | None = None,
) -> Photo:
    """An image that has of its appearance map whatever is held: chroma, light, detail, contrast, brightness, darkness.

    Args:
        photo, appearance: RGB in [-1, 1].
        strength: how far each image follows its map, 0 to 1.
        frame_px: (height, width) of the frames that the images are crops of; their own size when None.
    """
    channel, follows = class_index.long()[:, None], strength.view(-1, 1, 1, 1)
    height, width = frame_px or (None, None)
    photo = hold_chroma(photo.contiguous(), appearance, fidelity.chroma_shares[channel], follows)
    photo = hold_illumination(photo, appearance, HELD_ILLUMINATION * follows, width)
    photo = hold_detail(photo, appearance, fidelity.surfaces[channel], follows, height)
    photo = hold_contrast(photo, appearance, follows, height)
    photo = hold_brightness(photo, appearance, follows, height)
    return hold_darkness(photo, appearance, follows, height)
