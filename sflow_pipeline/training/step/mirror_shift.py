"""Translation of images by a few pixels with mirrored borders, against position-dependent artefacts."""

import torch
from torch import Tensor


def mirror_shift(image: Tensor, down: int, right: int) -> Tensor:
    """The image (…, h, w) translated within its frame; the uncovered border is its mirror image.

    Mirroring brings the image's border into its interior. A generator would otherwise leave artefacts in its outermost
    pixels, which few convolution windows of a discriminator cover.

    Args:
        down, right: pixels, negative for up and left; smaller than the image.

    >>> row = torch.tensor([[1, 2, 3, 4]])
    >>> mirror_shift(row, 0, 2).tolist(), mirror_shift(row, 0, -1).tolist()
    ([[3, 2, 1, 2]], [[2, 3, 4, 3]])
    """
    return _shift_along(_shift_along(image, down, dim=-2), right, dim=-1)


def _shift_along(image: Tensor, by: int, dim: int) -> Tensor:
    size = image.shape[dim]
    if by > 0:
        return torch.cat((image.narrow(dim, 1, by).flip(dim), image.narrow(dim, 0, size - by)), dim)
    if by < 0:
        return torch.cat((image.narrow(dim, -by, size + by), image.narrow(dim, size - 1 + by, -by).flip(dim)), dim)
    return image
