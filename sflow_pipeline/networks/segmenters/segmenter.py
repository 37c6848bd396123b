"""The segmenter: a photo in, a class for every pixel out; small enough to look at every converted frame."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sflow_pipeline.networks.layers import PixelNorm, pad_to_multiple
from sflow_pipeline.tensors import Photo


class Segmenter(nn.Module):
    """U-shaped, from half resolution down to 1/16 and back to 1/4, whose logits are enlarged to the photo's size.

    Pixel norm, as in the compact generator: no statistics of the picture, and the fused kernel. Dilation at the
    coarsest scale lets a pixel see some 300 px around it.

    >>> import torch
    >>> Segmenter(classes=12, width=6)(torch.zeros(1, 3, 30, 50)).shape
    torch.Size([1, 12, 30, 50])
    """

    stride = 16

    def __init__(self, classes: int, width: int = 24) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = width, 2 * width, 4 * width, 16 * width // 3
        self.head = nn.Conv2d(4 * 3, half, 3, padding=1)
        self.down1 = nn.Conv2d(half, quarter, 3, stride=2, padding=1)
        self.block1 = _Block(quarter)
        self.down2 = nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)
        self.block2 = nn.Sequential(_Block(eighth), _Block(eighth))
        self.down3 = nn.Conv2d(eighth, sixteenth, 3, stride=2, padding=1)
        self.middle = nn.Sequential(_Block(sixteenth, dilation=2), _Block(sixteenth, dilation=4))
        self.up3 = nn.Conv2d(sixteenth, eighth, 1)
        self.block3 = _Block(eighth)
        self.up2 = nn.Conv2d(eighth, quarter, 1)
        self.block4 = _Block(quarter)
        self.norm = PixelNorm()
        self.verdict = nn.Conv2d(quarter, classes, 1)

    def forward(self, photo: Photo) -> Float[Tensor, "b classes h w"]:
        """Class logits at the photo's size."""
        height, width = photo.shape[-2:]
        logits = F.interpolate(self.predict_quarter(photo), scale_factor=4.0, mode="bilinear", align_corners=False)
        return logits[..., :height, :width]

    def encode_sixteenth(self, photo: Photo) -> Float[Tensor, "b channels h16 w16"]:
        """Features at 1/16 of the photo's size, the coarsest there are."""
        return self._encode(photo)[-1]

    def predict_quarter(self, photo: Photo) -> Float[Tensor, "b classes h4 w4"]:
        """Class logits at a quarter of the photo's size, which is first enlarged to a multiple of ``stride``."""
        quarter, eighth, x = self._encode(photo)
        x = self.block3(_enlarge(self.up3(x)) + eighth)
        x = self.block4(_enlarge(self.up2(x)) + quarter)
        logits: Tensor = self.verdict(F.leaky_relu(self.norm(x), 0.2)).float()
        return logits

    def _encode(self, photo: Photo) -> tuple[Tensor, Tensor, Tensor]:
        """Features at 1/4, 1/8 and 1/16."""
        x = pad_to_multiple(photo, self.stride)
        half = F.leaky_relu(self.head(F.pixel_unshuffle(x, 2)), 0.2)
        quarter = self.block1(self.down1(half))
        eighth = self.block2(self.down2(quarter))
        return quarter, eighth, self.middle(self.down3(eighth))


class _Block(nn.Module):
    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.norm = PixelNorm()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv1(F.leaky_relu(self.norm(x), 0.2))
        y = self.conv2(F.leaky_relu(self.norm(y), 0.2))
        return x + y


def _enlarge(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
