"""EfficientNet-Lite0 as a perceptual network: features at four strides and a pooled vector."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sflow_pipeline.networks.features.perceptual_network import PerceptualNetwork
from sflow_pipeline.tensors import Photo

#: (repeats, kernel, stride, expansion, output channels) of each stage (Tan & Le 2019, B0 without squeeze-excitation).
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS, _HEAD_CHANNELS = 32, 1280
NORM_EPSILON = 1e-3


class _SameConv(nn.Conv2d):
    """Convolution without bias and with TensorFlow's SAME padding, which the weights were trained with.

    An odd pixel of padding goes to the right and bottom.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        down, across = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:])
        if down or across:
            x = F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))
        return super().forward(x)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=NORM_EPSILON)


class _Block(nn.Module):
    """Inverted bottleneck: 1x1 expansion, depthwise convolution, 1x1 projection, identity where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self._has_expansion = expansion != 1
        self._is_residual = stride == 1 and inputs == outputs
        if self._has_expansion:
            self._expand_conv = _SameConv(inputs, width)
            self._bn0 = _norm(width)
        self._depthwise_conv = _SameConv(width, width, kernel, stride, groups=width)
        self._bn1 = _norm(width)
        self._project_conv = _SameConv(width, outputs)
        self._bn2 = _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        wide = F.relu6(self._bn0(self._expand_conv(x))) if self._has_expansion else x
        wide = F.relu6(self._bn1(self._depthwise_conv(wide)))
        y: Tensor = self._bn2(self._project_conv(wide))
        return x + y if self._is_residual else y


class EfficientNetLiteFeatures(PerceptualNetwork):
    """EfficientNet-Lite0 without its classifier, state-dict keys as in efficientnet-lite-pytorch.

    It stays in evaluation mode: batch norms keep the statistics of ImageNet. Slices have strides of 4, 8, 16 and 32 px
    and may be negative, as no ReLU follows a projection.
    """

    name = "EfficientNet-Lite0"
    slices = (2, 4, 10, 15)
    channels = (24, 40, 112, 320)
    weights = (1.0, 1.0, 1.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _SameConv(3, STEM_CHANNELS, 3, 2)
        self._bn0 = _norm(STEM_CHANNELS)
        blocks = []
        inputs = STEM_CHANNELS
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for index in range(repeats):
                blocks.append(_Block(inputs, outputs, kernel, stride if index == 0 else 1, expansion))
                inputs = outputs
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = _SameConv(inputs, _HEAD_CHANNELS)
        self._bn1 = _norm(_HEAD_CHANNELS)
        self.eval()

    def train(self, mode: bool = True) -> "EfficientNetLiteFeatures":  # noqa: ARG002  as nn.Module names it
        """Stay in evaluation mode: batch norms keep the statistics of ImageNet."""
        return super().train(False)

    def get_layers(self) -> nn.Sequential:
        """The blocks."""
        return self._blocks

    def enter(self, photo: Photo) -> Float[Tensor, "b 32 h2 w2"]:
        """The stem's output, at half the size."""
        return F.relu6(self._bn0(self._conv_stem(self.normalise(photo))))

    def embed(self, photo: Photo) -> Float[Tensor, "b 1280"]:
        """The pooled features that the classifier works on."""
        deepest = self(photo)[-1]
        return F.relu6(self._bn1(self._conv_head(deepest))).mean(dim=(2, 3))
