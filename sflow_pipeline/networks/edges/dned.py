"""DNED, the deep neural edge detector: repairs an edge map to that of a real photo."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sflow_pipeline.networks.layers import pad_to_multiple
from sflow_pipeline.tensors import EdgeMap

#: How many side outputs, and so how many ensemble weights alpha has.
SIDES = 5


class Dned(nn.Module):
    """Holistically nested edge detector (Xie & Tu 2015), slim, with one input channel.

    Five side outputs see 1/1 to 1/16 of the resolution; the answer is the sigmoid of their alpha-weighted mean, so that
    other alphas give other edge maps of the same scene.

    >>> sides = Dned()(torch.zeros(2, 1, 30, 50)); sides.shape
    torch.Size([2, 5, 30, 50])
    >>> fuse_sides(sides, uniform_alpha(2)).shape
    torch.Size([2, 1, 30, 50])
    """

    stride = 16

    def __init__(self, widths: tuple[int, int, int, int, int] = (12, 24, 32, 48, 48)) -> None:
        super().__init__()
        inputs = (1, *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(i, o, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(o, o, 3, padding=1), nn.LeakyReLU(0.2)
            )
            for i, o in zip(inputs, widths, strict=True)
        )
        self.sides = nn.ModuleList(nn.Conv2d(o, 1, 1) for o in widths)

    def forward(self, edge_map: EdgeMap) -> Float[Tensor, "b 5 h w"]:
        """Side logits, each resized to the input's size."""
        height, width = edge_map.shape[-2:]
        x = pad_to_multiple(edge_map, self.stride)
        full = x.shape[-2:]
        sides = []
        for k, (stage, side) in enumerate(zip(self.stages, self.sides, strict=True)):
            x = stage(_halve(x) if k else x)
            logits = side(x).float()
            sides.append(F.interpolate(logits, size=full, mode="bilinear", align_corners=False) if k else logits)
        return torch.cat(sides, dim=1)[..., :height, :width]


def _halve(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Maxima of 2x2 pixels; in bf16 on a CPU two steps of pairs take a fifth of the time of a pooling."""
    if x.dtype != torch.bfloat16 or x.device.type != "cpu" or x.requires_grad:
        return F.max_pool2d(x, 2)
    rows = torch.maximum(x[..., ::2, :], x[..., 1::2, :])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


def mix_sides(sides: Float[Tensor, "b 5 h w"], alpha: Float[Tensor, "b 5"]) -> Float[Tensor, "b 1 h w"]:
    """Logits of the ensemble: the alpha-weighted sum of the side logits; alpha sums to 1."""
    return (sides * alpha[:, :, None, None]).sum(dim=1, keepdim=True)


def fuse_sides(sides: Float[Tensor, "b 5 h w"], alpha: Float[Tensor, "b 5"]) -> EdgeMap:
    """Edge strength in [0, 1] of the ensemble."""
    return torch.sigmoid(mix_sides(sides, alpha))


def uniform_alpha(batch: int, device: torch.device | str = "cpu") -> Float[Tensor, "b 5"]:
    """Every side counts the same: what variant 0 is converted with.

    >>> uniform_alpha(1).sum().item()
    1.0
    """
    return torch.full((batch, SIDES), 1.0 / SIDES, device=device)
