"""Pictures moved by some pixels, so that no judge sees the same pixel in the same place twice."""

import torch
from torch import Tensor


def mirror_shift(picture: Tensor, down: int, right: int) -> Tensor:
    """The picture moved over its own frame, its mirror image where nothing moved in; (…, h, w), negative: up, left.

    A border that is mirrored lies inside the picture, where judges look: what a network is up to on its outermost
    pixels, which few windows of a convolution reach, is seen twice.

    >>> row = torch.tensor([[1, 2, 3, 4]])
    >>> mirror_shift(row, 0, 2).tolist(), mirror_shift(row, 0, -1).tolist()
    ([[3, 2, 1, 2]], [[2, 3, 4, 3]])
    """
    return _shift_along(_shift_along(picture, down, dim=-2), right, dim=-1)


def _shift_along(picture: Tensor, by: int, dim: int) -> Tensor:
    size = picture.shape[dim]
    if by > 0:
        return torch.cat((picture.narrow(dim, 1, by).flip(dim), picture.narrow(dim, 0, size - by)), dim)
    if by < 0:
        return torch.cat((picture.narrow(dim, -by, size + by), picture.narrow(dim, size - 1 + by, -by).flip(dim)), dim)
    return picture
