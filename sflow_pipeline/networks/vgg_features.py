"""VGG-19 as a perceptual network: the slices and weights of pix2pixHD."""

from torch import Tensor, nn

from sflow_pipeline.networks.imagenet import ImagenetNorm
from sflow_pipeline.tensors import Photo

#: Output channels of each 3x3 convolution up to conv5_1; 0 is a 2x2 max pool.
_PLAN = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)


class VggFeatures(nn.Module):
    """VGG-19 (Simonyan & Zisserman 2014) in torchvision's state-dict layout, as far as relu5_1.

    Features are those of relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1; the four convolutions after the last of them,
    and the classifier, are in a file and not in here.
    """

    name = "VGG-19"
    #: Layers after which features are taken.
    slices = (1, 6, 11, 20, 29)
    #: How many channels each slice has.
    channels = (64, 128, 256, 512, 512)
    #: Weight of each slice (Wang et al. 2018).
    weights: tuple[float, ...] = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
    relative = False

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in _PLAN:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
            channels = width or channels
        self.features = nn.Sequential(*layers)
        self.normalise = ImagenetNorm()

    def forward(self, photo: Photo) -> list[Tensor]:
        """Features of each slice, shallow first."""
        x = self.normalise(photo)
        features = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.slices:
                features.append(x)
        return features
