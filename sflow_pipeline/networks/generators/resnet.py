"""The resnet generator: pix2pixHD's global network, the paper-faithful one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sflow_pipeline.networks.generators.instance_blocks import InstanceResBlock, norm_relu
from sflow_pipeline.networks.layers import pad_to_multiple
from sflow_pipeline.tensors import EdgeMap, Photo, SemanticMap


class ResnetGenerator(nn.Module):
    """pix2pixHD's global generator (Wang et al. 2018): the paper-faithful one, 64 channels and 9 blocks.

    >>> g = ResnetGenerator(classes=12, width=8, blocks=1)
    >>> g(torch.zeros(1, 12, 30, 50), torch.zeros(1, 1, 30, 50)).shape
    torch.Size([1, 3, 30, 50])
    """

    stride = 16

    def __init__(self, classes: int, width: int = 64, blocks: int = 9, downsamplings: int = 4) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(classes + 1, width, 7), *norm_relu(width)]
        for i in range(downsamplings):
            layers += [nn.Conv2d(width << i, width << (i + 1), 3, stride=2, padding=1), *norm_relu(width << (i + 1))]
        layers += [InstanceResBlock(width << downsamplings) for _ in range(blocks)]
        for i in reversed(range(downsamplings)):
            up = nn.ConvTranspose2d(width << (i + 1), width << i, 3, stride=2, padding=1, output_padding=1)
            layers += [up, *norm_relu(width << i)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, semantic_map: SemanticMap, edge_map: EdgeMap) -> Photo:
        height, width = semantic_map.shape[-2:]
        # Instance norm and reflection need a few pixels at the coarsest scale: at least two strides a side.
        x = torch.cat((semantic_map, edge_map.to(semantic_map.dtype)), dim=1)
        x = pad_to_multiple(x, self.stride)
        x = F.pad(x, (0, max(0, 32 - x.shape[-1]), 0, max(0, 32 - x.shape[-2])), mode="replicate")
        photo: Tensor = self.layers(x)
        return photo[..., :height, :width]
