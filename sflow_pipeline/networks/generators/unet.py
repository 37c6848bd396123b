"""The U-net generator of pix2pix: halvings down to a few pixels, with a skip connection at every scale."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sflow_pipeline.networks.layers import InstanceNorm, pad_to_multiple
from sflow_pipeline.tensors import EdgeMap, Photo, SemanticMap


class UnetGenerator(nn.Module):
    """pix2pix's generator (Isola et al. 2017), 64 channels and 8 halvings, with two deviations.

    Its noise was drop-out, which is left out, because the same frame must give the same photo; its batch norm, at the
    batch size of 1 that it is known for, is instance norm.

    >>> g = UnetGenerator(classes=12, width=8, halvings=3)
    >>> g(torch.zeros(1, 12, 30, 50), torch.zeros(1, 1, 30, 50)).shape
    torch.Size([1, 3, 30, 50])
    """

    def __init__(self, classes: int, width: int = 64, halvings: int = 8) -> None:
        super().__init__()
        self.stride = 2**halvings
        widths = [width * min(2**i, 8) for i in range(halvings)]
        self.down = nn.ModuleList(
            nn.Conv2d(i, o, 4, stride=2, padding=1) for i, o in zip((classes + 1, *widths), widths, strict=False)
        )
        # Every scale but the coarsest hands on its own features beside those that came up to it.
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(widths[i] if i == halvings - 1 else 2 * widths[i], widths[i - 1] if i else 3, 4, 2, 1)
            for i in reversed(range(halvings))
        )
        self.norm = InstanceNorm()

    def forward(self, semantic_map: SemanticMap, edge_map: EdgeMap) -> Photo:
        height, width = semantic_map.shape[-2:]
        x = pad_to_multiple(torch.cat((semantic_map, edge_map.to(semantic_map.dtype)), dim=1), self.stride)
        skips: list[Tensor] = []
        coarsest = len(self.down) - 1
        for i, conv in enumerate(self.down):
            x = conv(F.leaky_relu(x, 0.2) if i else x)
            # One pixel may be all that is left at the coarsest scale, and normed it would say nothing.
            x = x if i in (0, coarsest) else self.norm(x)
            skips.append(x)
        x = skips.pop()
        for i, conv in enumerate(self.up):
            x = conv(F.relu(torch.cat((x, skips.pop()), dim=1) if i else x))
            x = x if i == coarsest else self.norm(x)
        photo: Tensor = torch.tanh(x)
        return photo[..., :height, :width]
