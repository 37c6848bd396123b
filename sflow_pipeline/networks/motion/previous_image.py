"""The image before, as a generator is given it that paints the frames of a sequence in order."""

import torch
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.motion.farneback import compute_farneback_flow, to_grey
from sflow_pipeline.networks.motion.warping import find_visible, warp
from sflow_pipeline.tensors import Photo, SemanticMap


def carry_image(image: Float[Tensor, "b c h w"], before: Photo, after: Photo) -> Float[Tensor, "b c h w"]:
    """The image of the earlier frame, each surface moved to its place in the later frame; 0 where none is known.

    The motion is Farnebäck's between the frames, forwards and backwards; none is known where the two disagree, and
    where it leads out of the picture.

    Args:
        image: (b, c, h, w), made from the earlier frame.
        before, after: the frames themselves.

    >>> picture = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    >>> bool((carry_image(picture, picture, picture) - picture).abs().mean() < 0.02)
    True
    """
    with torch.no_grad():
        grey = to_grey(before), to_grey(after)
        backward = compute_farneback_flow(grey[1], grey[0])
        visible = find_visible(backward, compute_farneback_flow(*grey))
    return warp(image, backward) * visible


def add_previous(semantic: SemanticMap, carried: Photo | None) -> Float[Tensor, "b more h w"]:
    """The semantic map with the carried image as its last channels, zeros for the first frame of a sequence.

    >>> add_previous(torch.ones(1, 12, 4, 6), None)[0, 11:, 0, 0].tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    batch, _, height, width = semantic.shape
    previous = semantic.new_zeros(batch, 3, height, width) if carried is None else carried.to(semantic.dtype)
    return torch.cat((semantic, previous), dim=1).contiguous(memory_format=torch.channels_last)
