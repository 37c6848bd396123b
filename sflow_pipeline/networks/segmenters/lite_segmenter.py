"""A segmenter on ImageNet features: EfficientNet-Lite0 down to 1/32 of the photo's size, and a light decoder."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sflow_pipeline.networks.features.efficientnet_lite import NORM_EPSILON, STAGES, STEM_CHANNELS
from sflow_pipeline.networks.features.imagenet import ImagenetNorm
from sflow_pipeline.networks.layers import PixelNorm, pad_to_multiple
from sflow_pipeline.tensors import Photo

#: Stages of EfficientNet-Lite0 that are kept: all but the last.
_KEPT = STAGES[:-1]
#: Blocks after which features are taken, at strides of 4, 8, 16 and 32 px, and their channels.
_SLICES = {2: 24, 4: 40, 10: 112, 14: 192}


#: Blocks before this one keep their ImageNet weights: they see edges and colours, and a step takes a third less.
_FIRST_TRAINED = 3


class LiteSegmenter(nn.Module):
    """EfficientNet-Lite0 whose batch norms are folded into its convolutions, and a top-down decoder to 1/4.

    The last layer predicts 2x2 pixels at once, so that logits have half the photo's size before they are enlarged.

    >>> LiteSegmenter(classes=12, width=8)(torch.zeros(1, 3, 30, 50)).shape
    torch.Size([1, 12, 30, 50])
    """

    stride = 32

    def __init__(self, classes: int, width: int = 64) -> None:
        super().__init__()
        self.normalise = ImagenetNorm()
        self.stem = nn.Conv2d(3, STEM_CHANNELS, 3, stride=2, padding=1)
        blocks = []
        inputs = STEM_CHANNELS
        for repeats, kernel, stride, expansion, outputs in _KEPT:
            for index in range(repeats):
                blocks.append(_Bottleneck(inputs, outputs, kernel, stride if index == 0 else 1, expansion))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.laterals = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in _SLICES.values())
        self.norm = PixelNorm()
        self.smooth = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(width, width, 3, padding=1, groups=width), nn.Conv2d(width, width, 1)),
                nn.Conv2d(width, width, 3, padding=1),
                nn.Conv2d(width, width, 3, padding=1),
                nn.Conv2d(width, width, 3, padding=1),
            ]
        )
        self.verdict = nn.Conv2d(width, 4 * classes, 1)

    def encode(self, photo: Photo) -> list[Tensor]:
        """Features at strides of 4, 8, 16 and 32 px; both sides may be of any length."""
        x = F.relu6(self.stem(self.normalise(photo)), inplace=True)
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _SLICES:
                features.append(x)
        return features

    def encode_sixteenth(self, photo: Photo) -> Float[Tensor, "b channels h16 w16"]:
        """Features at 1/16 of the photo's size, which is first enlarged to a multiple of ``stride``."""
        return self.encode(pad_to_multiple(photo, self.stride))[2]

    def forward(self, photo: Photo) -> Float[Tensor, "b classes h w"]:
        """Class logits at the photo's size."""
        height, width = photo.shape[-2:]
        logits = F.interpolate(self._predict(photo), scale_factor=2.0, mode="bilinear", align_corners=False)
        return logits[..., :height, :width]

    def predict_halved(self, photo: Photo) -> Float[Tensor, "b classes h2 w2"]:
        """Means of 2x2 class logits, as pooling makes them of those at the photo's size, which are not computed.

        Enlarging by 2 and averaging pairs is one filter, [1 6 1] / 8 with repeated borders.
        """
        height, width = photo.shape[-2:]
        x = F.pad(self._predict(photo), (1, 1, 1, 1), mode="replicate")
        x = 0.75 * x[..., 1:-1] + 0.125 * (x[..., :-2] + x[..., 2:])
        x = 0.75 * x[..., 1:-1, :] + 0.125 * (x[..., :-2, :] + x[..., 2:, :])
        return x[..., : (height + 1) // 2, : (width + 1) // 2]

    def _predict(self, photo: Photo) -> Float[Tensor, "b classes h2 w2"]:
        """Class logits at half the size that the photo has once it is padded."""
        features = self.encode(pad_to_multiple(photo, self.stride))
        x: Tensor | None = None
        for feature, lateral, smooth in reversed(list(zip(features, self.laterals, self.smooth, strict=True))):
            added = lateral(feature)
            x = added if x is None else added + F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = x + smooth(F.leaky_relu(self.norm(x), 0.2))
        assert x is not None
        return F.pixel_shuffle(self.verdict(F.leaky_relu(self.norm(x), 0.2)), 2).float()


class _Bottleneck(nn.Module):
    """Inverted bottleneck of ``efficientnet_lite`` with biases in place of batch norms."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.expand = nn.Conv2d(inputs, width, 1) if expansion != 1 else None
        self.depthwise = nn.Conv2d(width, width, kernel, stride, padding=kernel // 2, groups=width)
        self.project = nn.Conv2d(width, outputs, 1)
        self._is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y: Tensor = self.project(F.relu6(self.depthwise(wide), inplace=True))
        return x + y if self._is_residual else y


class _Gain(nn.Module):
    """Scale of a convolution's output channels, outside what is trained, as in a frozen batch norm."""

    def __init__(self, gain: Float[Tensor, " channels"]) -> None:
        super().__init__()
        self.register_buffer("gain", gain.view(-1, 1, 1, 1).clone())
        self.gain: Tensor

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.gain


def list_encoder_convs(network: LiteSegmenter) -> list[tuple[str, str, nn.Conv2d]]:
    """(convolution, batch norm, module) of the encoder, names as in the published state dict."""
    convs = [("_conv_stem", "_bn0", network.stem)]
    for index, block in enumerate(network.blocks):
        assert isinstance(block, _Bottleneck)
        for conv, norm, module in (
            ("_expand_conv", "_bn0", block.expand),
            ("_depthwise_conv", "_bn1", block.depthwise),
            ("_project_conv", "_bn2", block.project),
        ):
            if module is not None:
                convs.append((f"_blocks.{index}.{conv}", f"_blocks.{index}.{norm}", module))
    return convs


def begin_from_imagenet(network: LiteSegmenter, published: Mapping[str, Tensor] | None) -> None:
    """Give the encoder ImageNet weights, or none, and prepare it for training.

    Gains of batch norms stay outside the trained weights, because folded weights of one layer would differ in size by
    a factor of a thousand, and Adam takes steps of one size.

    Args:
        published: state dict of EfficientNet-Lite0.
    """
    with torch.no_grad():
        for conv, norm, module in list_encoder_convs(network):
            gain = torch.ones(module.out_channels)
            if published is not None:
                tensors = {key: published[f"{norm}.{key}"].float() for key in ("weight", "bias", "running_mean")}
                gain = tensors["weight"] / (published[f"{norm}.running_var"].float() + NORM_EPSILON).sqrt()
                module.weight.copy_(published[f"{conv}.weight"].float())
                assert module.bias is not None
                module.bias.copy_(tensors["bias"] - tensors["running_mean"] * gain)
            parametrize.register_parametrization(module, "weight", _Gain(gain))
    if published is not None:
        for part in (network.stem, *network.blocks[:_FIRST_TRAINED]):
            part.requires_grad_(False)


def fold_gains(network: LiteSegmenter) -> None:
    """Multiply the gains into the weights: what a bundle stores."""
    for _conv, _norm, module in list_encoder_convs(network):
        parametrize.remove_parametrizations(module, "weight")
