"""The coarse-to-fine generator of pix2pixHD: a local enhancer around the global generator."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sflow_pipeline.networks.generators.instance_blocks import InstanceResBlock, norm_relu
from sflow_pipeline.networks.generators.resnet import ResnetGenerator
from sflow_pipeline.networks.layers import pad_to_multiple
from sflow_pipeline.tensors import EdgeMap, Photo, SemanticMap

_LOCAL_BLOCKS = 3


class GlobalLocalGenerator(nn.Module):
    """The global generator at half resolution, its features added to those of a local enhancer at full resolution.

    Wang et al. 2018, section 3.1: 64 and 32 channels, 9 and 3 residual blocks. They trained the global part first and
    the local part around it; here both learn together from the first step.

    >>> g = GlobalLocalGenerator(classes=12, width=8, blocks=1)
    >>> g(torch.zeros(1, 12, 30, 50), torch.zeros(1, 1, 30, 50)).shape
    torch.Size([1, 3, 30, 50])
    """

    stride = 32

    def __init__(self, classes: int, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        # All but the way to RGB: reflection, convolution, tanh.
        self.coarse = nn.Sequential(*list(ResnetGenerator(classes, width, blocks).layers)[:-3])
        local = max(1, width // 2)
        self.down = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(classes + 1, local, 7), *norm_relu(local),
            nn.Conv2d(local, width, 3, stride=2, padding=1), *norm_relu(width),
        )  # fmt: skip
        self.up = nn.Sequential(
            *(InstanceResBlock(width) for _ in range(_LOCAL_BLOCKS)),
            nn.ConvTranspose2d(width, local, 3, stride=2, padding=1, output_padding=1), *norm_relu(local),
            nn.ReflectionPad2d(3), nn.Conv2d(local, 3, 7), nn.Tanh(),
        )  # fmt: skip

    def forward(self, semantic_map: SemanticMap, edge_map: EdgeMap) -> Photo:
        height, width = semantic_map.shape[-2:]
        x = pad_to_multiple(torch.cat((semantic_map, edge_map.to(semantic_map.dtype)), dim=1), self.stride)
        # Instance norm and reflection need a few pixels at the coarsest scale: at least two strides a side.
        x = F.pad(x, (0, max(0, 64 - x.shape[-1]), 0, max(0, 64 - x.shape[-2])), mode="replicate")
        half = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        photo: Tensor = self.up(self.down(x) + self.coarse(half))
        return photo[..., :height, :width]
