"""What is measured around each pixel, on cells of a few pixels: large pictures cost little more than small ones."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.appearance.plane_filters import box_mean, enlarge

#: Side of the window around a pixel, in shares of the height, and how many cells it has in a row.
_NEAR, _NEAR_CELLS = 1 / 26, 5
#: Variance of what does not vary at all.
_LEAST_VARIANCE = 1e-8


def find_cell_px(height: int) -> int:
    """Side of a cell, for pictures of a height.

    >>> find_cell_px(256), find_cell_px(1024)
    (2, 8)
    """
    return max(1, round(_NEAR * height / _NEAR_CELLS))


def average_cells(x: Float[Tensor, "b c h w"], cell_px: int) -> Float[Tensor, "b c rows columns"]:
    """Mean of each cell; those at the right and at the bottom may be smaller."""
    return F.avg_pool2d(x, cell_px, ceil_mode=True, count_include_pad=False)


def average_near(cells: Float[Tensor, "b c rows columns"]) -> Float[Tensor, "b c rows columns"]:
    """Mean over the window around each cell."""
    return box_mean(cells, _NEAR_CELLS, count_outside=False)


def measure_deviation(
    mean: Float[Tensor, "b 1 rows columns"], mean_square: Float[Tensor, "b 1 rows columns"]
) -> Float[Tensor, "b 1 rows columns"]:
    """Standard deviation, of the means of a value and of its square; never 0, where its gradient would be infinite."""
    return (mean_square - mean.square()).clamp(min=_LEAST_VARIANCE).sqrt()


def enlarge_cells(
    cells: Float[Tensor, "b c rows columns"], cell_px: int, size: tuple[int, int]
) -> Float[Tensor, "b c h w"]:
    """Values of cells for every pixel of a picture of (height, width), bilinear."""
    rows, columns = cells.shape[-2:]
    return enlarge(cells, (cell_px * rows, cell_px * columns))[..., : size[0], : size[1]]
