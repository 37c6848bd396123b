"""The compact generator: U-shaped, for CPUs and real time; what the default bundle uses."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sflow_pipeline.networks.layers import PixelNorm, SemanticResBlock, activate, pad_to_multiple
from sflow_pipeline.tensors import EdgeMap, Photo, SemanticMap, fill_vector


class CompactGenerator(nn.Module):
    """U-shaped generator that works from half resolution down: about 1/15 of the resnet's arithmetic.

    The input pixel-unshuffle, in effect a convolution of stride 2, keeps every input pixel while the widest
    convolutions run on a quarter of them; the semantic map modulates every residual block, so that the class
    determines the look of an empty area.

    Args:
        classes: channels of the semantic map.
        width: channels at half resolution.
        blocks: residual blocks at 1/16.
        detail: last channels of the semantic map that the last layers are given at full resolution.
        upsampling: of features between scales. With ``nearest`` a picture that moves by fewer pixels than the stride is
            painted anew on the lattice of the coarse scales, and flickers in video; ``bilinear`` follows it better.

    >>> g = CompactGenerator(classes=12, width=8, blocks=1)
    >>> g(torch.zeros(1, 12, 30, 50), torch.zeros(1, 1, 30, 50)).shape
    torch.Size([1, 3, 30, 50])
    """

    stride = 16

    def __init__(
        self,
        classes: int,
        width: int = 48,
        blocks: int = 4,
        detail: int = 0,
        upsampling: Literal["nearest", "bilinear"] = "nearest",
    ) -> None:
        super().__init__()
        self.detail = detail
        self._upsampling = upsampling
        half, quarter, eighth, sixteenth = width, 2 * width, 4 * width, 16 * width // 3
        self.head = nn.Conv2d(4 * (classes + 1), half, 3, padding=1)
        self.down1 = nn.Conv2d(half, quarter, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)
        self.down3 = nn.Conv2d(eighth, sixteenth, 3, stride=2, padding=1)
        self.middle = nn.ModuleList(SemanticResBlock(sixteenth, classes) for _ in range(blocks))
        self.up3 = nn.Conv2d(sixteenth, eighth, 1)
        self.block3 = SemanticResBlock(eighth, classes)
        self.up2 = nn.Conv2d(eighth, quarter, 1)
        self.block2 = SemanticResBlock(quarter, classes)
        self.up1 = nn.Conv2d(quarter, half, 1)
        self.conv1 = nn.Conv2d(half, half, 3, padding=1)
        self.to_full = nn.Conv2d(half, 32, 3, padding=1)
        self.refine = nn.Conv2d(8 + 1 + detail, 16, 3, padding=1)
        self.to_rgb = nn.Conv2d(16, 3, 3, padding=1)
        self.norm = PixelNorm()
        _start_as_nearest(self.to_full)

    def forward(self, semantic_map: SemanticMap, edge_map: EdgeMap) -> Photo:
        height, width = semantic_map.shape[-2:]
        semantic = pad_to_multiple(semantic_map, self.stride)
        edge = pad_to_multiple(edge_map, self.stride)
        pyramid = [F.avg_pool2d(semantic, 4)]
        for _ in range(2):
            pyramid.append(F.avg_pool2d(pyramid[-1], 2))
        at_quarter, at_eighth, at_sixteenth = pyramid

        half = self._activate(self._head(torch.cat((semantic, edge.to(semantic.dtype)), dim=1)))
        quarter = self._activate(self.down1(half))
        eighth = self._activate(self.down2(quarter))
        x = self.down3(eighth)
        for block in self.middle:
            x = block(x, at_sixteenth)
        x = self.block3(self._upsample(self.up3(x)) + eighth, at_eighth)
        x = self.block2(self._upsample(self.up2(x)) + quarter, at_quarter)
        x = self._activate(self._upsample(self.up1(x)) + half)
        x = activate(self.conv1(x)) + x
        x = F.pixel_shuffle(activate(self.to_full(x)), 2)  # (b, 32, h/2, w/2) -> (b, 8, h, w)
        fine = semantic[:, semantic.shape[1] - self.detail :]
        x = activate(self._refine(torch.cat((x, edge.to(x.dtype), fine), dim=1)))
        photo: Tensor = torch.tanh(self.to_rgb(x))
        return photo[..., :height, :width]

    def _head(self, x: Tensor) -> Tensor:
        """``head`` of the pixel-unshuffled input, as the 6x6 convolution of stride 2 that it is: nothing is copied."""
        out, channels = self.head.out_channels, x.shape[1]
        # (out, c*2*2, 3, 3) -> (out, c, 3*2, 3*2): pixel (dy, dx) of block (ky, kx) is pixel (2 ky + dy, 2 kx + dx)
        blocks = self.head.weight.reshape(out, channels, 2, 2, 3, 3).permute(0, 1, 4, 2, 5, 3)
        weight = blocks.reshape(out, channels, 6, 6).contiguous(memory_format=torch.channels_last)
        return F.conv2d(x, weight, self.head.bias, stride=2, padding=2)

    def _refine(self, x: Tensor) -> Tensor:
        """``refine`` of the shuffled features smoothed by [1 2 1] / 4 both ways, and of the edges as they are.

        The smoothing is zero at a period of two pixels, so that sub-pixels which learned different things cannot print
        a chequerboard; both are one 5x5 convolution.
        """
        features, edge = self.refine.weight.split((8, 1 + self.detail), dim=1)
        line = fill_vector((0.25, 0.5, 0.25), features)
        smooth = F.conv2d(features.flatten(0, 1)[:, None], torch.outer(line, line)[None, None], padding=2)
        weight = torch.cat((smooth.view(-1, 8, 5, 5), F.pad(edge, (1, 1, 1, 1))), dim=1)
        return F.conv2d(x, weight.contiguous(memory_format=torch.channels_last), self.refine.bias, padding=2)

    def _activate(self, x: Tensor) -> Tensor:
        return activate(self.norm(x))

    def _upsample(self, x: Tensor) -> Tensor:
        if self._upsampling == "nearest":
            return F.interpolate(x, scale_factor=2.0, mode="nearest")
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


@torch.no_grad()
def _start_as_nearest(conv: nn.Conv2d, factor: int = 2) -> None:
    """Give the sub-pixels of a pixel shuffle the same weights to begin with (ICNR, Aitken et al. 2017)."""
    conv.weight.copy_(conv.weight[:: factor**2].repeat_interleave(factor**2, dim=0))
    if conv.bias is not None:
        conv.bias.copy_(conv.bias[:: factor**2].repeat_interleave(factor**2))
