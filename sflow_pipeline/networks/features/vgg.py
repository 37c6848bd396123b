"""VGG-16 and VGG-19 as perceptual networks."""

from typing import ClassVar

from torch import nn

from sflow_pipeline.networks.features.perceptual_network import PerceptualNetwork


def build_vgg_layers(plan: tuple[int, ...]) -> nn.Sequential:
    """3x3 convolutions with ReLU of the given output channels; 0 is a 2x2 max pool."""
    layers: list[nn.Module] = []
    channels = 3
    for width in plan:
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
        channels = width or channels
    return nn.Sequential(*layers)


class Vgg19Features(PerceptualNetwork):
    """VGG-19 (Simonyan & Zisserman 2014) in torchvision's state-dict layout, as far as relu5_1.

    Features are those of relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1, weighted as in pix2pixHD (Wang et al. 2018);
    the layers after the last of them are in a file and not in here.
    """

    name = "VGG-19"
    slices = (1, 6, 11, 20, 29)
    channels = (64, 128, 256, 512, 512)
    weights = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
    relative = False
    _plan: ClassVar[tuple[int, ...]] = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)

    def __init__(self) -> None:
        super().__init__()
        self.features = build_vgg_layers(self._plan)


class Vgg16Features(Vgg19Features):
    """VGG-16 in torchvision's state-dict layout without its classifier.

    Features are those of relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3, the depths of HED's side outputs and of LPIPS.
    """

    name = "VGG-16"
    slices = (3, 8, 15, 22, 29)
    _plan = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
