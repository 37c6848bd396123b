"""Mean of a generator's images of shifted copies of its input (cycle spinning, Coifman & Donoho 1995)."""

import torch
import torch.nn.functional as F
from torch import nn

from sflow_pipeline.tensors import EdgeMap, Photo, SemanticMap

#: Shifts in px, x and y: spread over a stride of 16, odd and even, so that any first few differ at every scale.
SHIFTS_PX = ((0, 0), (7, 9), (12, 3), (3, 14), (10, 6), (15, 11), (5, 1), (8, 12))


class ShiftedMean(nn.Module):
    """A generator whose image of a moving picture depends less on where its strides lie.

    A generator with strides follows a picture exactly only where it moves by whole strides; otherwise texture is
    painted anew, and flickers in video. The mean of a few shifts has less of that, and less of the finest detail.

    Args:
        inside: the generator.
        count: of shifts, 1 to 8; 1 is the generator itself.

    >>> class Stripes(nn.Module):
    ...     def forward(self, semantic_map, edge_map):
    ...         return torch.arange(semantic_map.shape[-1]).remainder(2.0).expand(1, 3, *semantic_map.shape[-2:])
    >>> given = torch.zeros(1, 2, 4, 6), torch.zeros(1, 1, 4, 6)
    >>> ShiftedMean(Stripes(), 1)(*given)[0, 0, 0].tolist(), ShiftedMean(Stripes(), 2)(*given)[0, 0, 0].tolist()
    ([0.0, 1.0, 0.0, 1.0, 0.0, 1.0], [0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    """

    def __init__(self, inside: nn.Module, count: int = 1) -> None:
        super().__init__()
        self.inside = inside
        self._shifts = SHIFTS_PX[:count]

    def forward(self, semantic_map: SemanticMap, edge_map: EdgeMap) -> Photo:
        if len(self._shifts) == 1:
            return self.inside(semantic_map, edge_map)  # type: ignore[no-any-return]
        height, width = semantic_map.shape[-2:]
        total = torch.zeros((), device=semantic_map.device)
        for right, down in self._shifts:
            margin = (right, 0, down, 0)
            moved = (F.pad(x, margin, mode="replicate") for x in (semantic_map, edge_map))
            total = total + self.inside(*moved).float()[..., down : down + height, right : right + width]
        return total / len(self._shifts)
