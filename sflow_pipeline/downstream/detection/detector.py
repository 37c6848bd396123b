"""Detector: an anchor-free network that finds the centres of objects, and boxes from what it puts out."""

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sflow_pipeline.tensors import Photo

#: Pixels of the photo per cell of the output.
CELL_PX = 4
#: Outputs beside the heat maps: width and height as logarithms of px, centre within its cell in cells.
BOX_OUTPUTS = 4
#: Share of cells that hold an object, before anything is learnt.
_PRIOR = 0.01
_FIRST_SIDE_PX = 16
_MOST_BOXES = 100


class Trunk(Protocol):
    """A network with features at a quarter of the photo's size."""

    def predict_quarter(self, photo: Photo) -> Tensor:
        """(b, features, h / 4, w / 4)."""


class Detector(nn.Module):
    """Heat map of centres for each class, sizes and offsets (CenterNet, Zhou et al. 2019), sizes as logarithms.

    Args:
        trunk: whose outputs are ``features`` features.
        classes: number of heat maps.
    """

    def __init__(self, trunk: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.hidden = nn.Conv2d(features, features, 3, padding=1)
        self.verdict = nn.Conv2d(features, classes + BOX_OUTPUTS, 1)
        prior, side = math.log(_PRIOR / (1 - _PRIOR)), math.log(_FIRST_SIDE_PX)
        self.verdict.bias = nn.Parameter(torch.tensor([prior] * classes + [side, side, 0.5, 0.5]))

    def forward(self, photo: Photo) -> Float[Tensor, "b outputs h4 w4"]:
        """Logits of the heat maps, then ``BOX_OUTPUTS`` numbers for each cell; cells from the photo's top left."""
        trunk: Trunk = self.trunk  # type: ignore[assignment]
        x = F.leaky_relu(trunk.predict_quarter(photo), 0.2)
        outputs: Tensor = self.verdict(F.leaky_relu(self.hidden(x), 0.2))
        return outputs.float()


def decode_boxes(output: Float[Tensor, "outputs h4 w4"]) -> tuple[Tensor, Tensor, Tensor]:
    """The most certain boxes of one photo, most certain first.

    Returns:
        (n, 4) left, top, right, bottom in px of the network's input; (n,) heat map that each is from; (n,) certainty.
    """
    heat = output[:-BOX_OUTPUTS].sigmoid()
    is_peak = heat == F.max_pool2d(heat[None], 3, stride=1, padding=1)[0]
    scores, places = (heat * is_peak).flatten().topk(min(_MOST_BOXES, heat.numel()))
    _height, width = heat.shape[1:]
    cells = heat.shape[1] * heat.shape[2]
    channels, cell = places // cells, places % cells
    numbers = output[-BOX_OUTPUTS:].flatten(1)[:, cell]
    corner = torch.stack([cell % width, cell // width])
    centre = (corner + numbers[2:]) * CELL_PX
    half = numbers[:2].clamp(max=math.log(1e4)).exp() / 2
    return torch.cat([centre - half, centre + half]).T, channels, scores
