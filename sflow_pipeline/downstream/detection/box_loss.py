"""Loss of the detector: where the centres of boxes are, and how large boxes are."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from sflow_pipeline.downstream.detection.detector import BOX_OUTPUTS, CELL_PX
from sflow_pipeline.downstream.detection.objects import find_boxes

#: Objects that are shorter or narrower in a crop are ignored.
_SMALLEST_SIDE_PX = 3
#: Standard deviation of a centre's spot, as a share of the box's sides (TTFNet, Liu et al. 2020).
_SPOT = 0.54 / 6
_SIZE_WEIGHT = 0.5
_OFFSET_WEIGHT = 1.0


@dataclass(frozen=True)
class BoxTargets:
    """What the detector should put out for a batch.

    Attributes:
        heat: 1 at the cell of a centre, falling to 0 around it.
        is_counted: cells whose heat counts in the loss.
        places: number in the batch, row and column of every box's cell.
        numbers: of every box, as in ``Detector``.
    """

    heat: Float[Tensor, "b classes h4 w4"]
    is_counted: Bool[Tensor, "b 1 h4 w4"]
    places: Int[Tensor, "3 n"]
    numbers: Float[Tensor, "n 4"]


def build_targets(
    class_index: NDArray[np.uint8],
    objects: NDArray[np.uint16],
    channels: list[int],
    void_channel: int | None,
    cells: tuple[int, int],
) -> BoxTargets:
    """Targets from the labels of a batch (b, h, w) and the numbers of their objects.

    Args:
        channels: of the label space, one for each heat map.
        void_channel: unlabelled pixels; what is found there does not count.
        cells: rows and columns of the output; beyond the crop nothing counts.
    """
    heat = np.zeros((len(class_index), len(channels), *cells), np.float32)
    is_counted = np.zeros((len(class_index), 1, *cells), bool)
    places, numbers = [], []
    for i, (classes, marks) in enumerate(zip(class_index, objects, strict=True)):
        boxes = find_boxes(classes, marks, channels, _SMALLEST_SIDE_PX)
        is_counted[i, 0] = _list_counted(classes != void_channel, cells)
        for xyxy, channel, is_ignored in zip(boxes.xyxy, boxes.channels, boxes.is_ignored, strict=True):
            side, centre = xyxy[2:] - xyxy[:2], (xyxy[:2] + xyxy[2:]) / 2 / CELL_PX
            column, row = centre.astype(int)
            if is_ignored:
                left, top = (xyxy[:2] // CELL_PX).astype(int)
                right, bottom = np.ceil(xyxy[2:] / CELL_PX).astype(int)
                is_counted[i, 0, top:bottom, left:right] = False
                continue
            spot = _draw_spot(cells, (row, column), side / CELL_PX)
            plane = heat[i, channels.index(int(channel))]
            np.maximum(plane, spot, out=plane)
            places.append((i, row, column))
            numbers.append((*np.log(side), *(centre - (column, row))))
    # Where an ignored region covers a centre, the centre counts.
    is_counted |= (heat == 1).any(axis=1, keepdims=True)
    return BoxTargets(
        torch.from_numpy(heat),
        torch.from_numpy(is_counted),
        torch.tensor(places, dtype=torch.int64).reshape(-1, 3).T,
        torch.tensor(numbers, dtype=torch.float32).reshape(-1, BOX_OUTPUTS),
    )


def compute_box_loss(output: Float[Tensor, "b outputs h4 w4"], targets: BoxTargets) -> Tensor:
    """Focal loss of the heat maps (CornerNet, Law and Deng 2018), and L1 of sizes and offsets, per box."""
    heat, is_counted, numbers = (
        tensor.to(output.device) for tensor in (targets.heat, targets.is_counted, targets.numbers)
    )
    logits = output[:, :-BOX_OUTPUTS]
    found, missed = torch.nn.functional.logsigmoid(logits), torch.nn.functional.logsigmoid(-logits)
    is_centre = heat == 1
    share = logits.sigmoid()
    focal = torch.where(is_centre, (1 - share) ** 2 * found, (1 - heat) ** 4 * share**2 * missed)
    boxes = max(len(numbers), 1)
    loss = -(focal * is_counted).sum() / boxes
    i, row, column = targets.places.to(output.device)
    error = (output[i, -BOX_OUTPUTS:, row, column] - numbers).abs().sum(dim=0) / boxes
    return loss + _SIZE_WEIGHT * error[:2].sum() + _OFFSET_WEIGHT * error[2:].sum()


def _list_counted(is_labelled: NDArray[np.bool_], cells: tuple[int, int]) -> NDArray[np.bool_]:
    """Cells that lie in the crop and are labelled to the last pixel."""
    rows, columns = (side * CELL_PX for side in cells)
    inside = np.zeros((rows, columns), bool)
    inside[: is_labelled.shape[0], : is_labelled.shape[1]] = is_labelled[:rows, :columns]
    return np.asarray(inside.reshape(cells[0], CELL_PX, cells[1], CELL_PX).all(axis=(1, 3)))


def _draw_spot(cells: tuple[int, int], place: tuple[int, int], side: NDArray[np.float64]) -> NDArray[np.float32]:
    """A spot of height 1 at a cell; ``side`` is the box's width and height in cells."""
    row, column = place
    spread_x, spread_y = np.maximum(side * _SPOT, 1e-3)
    y = np.exp(-(((np.arange(cells[0]) - row) / spread_y) ** 2) / 2)
    x = np.exp(-(((np.arange(cells[1]) - column) / spread_x) ** 2) / 2)
    spot: NDArray[np.float32] = np.outer(y, x).astype(np.float32)
    return spot
