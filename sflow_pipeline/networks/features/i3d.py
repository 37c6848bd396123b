"""I3D, the inflated Inception-v1 for video, up to its class scores, with weights from a safetensors file.

Carreira and Zisserman, Quo Vadis, Action Recognition? (2017). Tensors are named as in the state dicts of pytorch-i3d
(``rgb_imagenet.pt``, trained on ImageNet and Kinetics-400).
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sflow_pipeline.networks.weights_file import load_weights, read_weights_file

#: Frames of a clip, and side of its pictures in px.
CLIP_FRAMES, SIDE_PX = 16, 224
CLASSES = 400

#: Channels of each Inception block: 1x1; 1x1, 3x3; 1x1, 3x3; 1x1 after pooling. ``pool`` stands before the block.
_BLOCKS = {
    "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
    "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
    "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}
_POOLS = {"Mixed_3b": ((1, 3, 3), (1, 2, 2)), "Mixed_4b": ((3, 3, 3), (2, 2, 2)), "Mixed_5b": ((2, 2, 2), (2, 2, 2))}


class I3d(nn.Module):
    """Scores of 400 classes for clips, before the softmax, mean over time: the features of FVD.

    >>> I3d().eval()(torch.zeros(1, 3, 16, 224, 224)).shape
    torch.Size([1, 400])
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = _Unit(3, 64, 7, stride=2)
        self.Conv3d_2b_1x1 = _Unit(64, 64, 1)
        self.Conv3d_2c_3x3 = _Unit(64, 192, 3)
        for name, (channels, widths) in _BLOCKS.items():
            self.add_module(name, _Block(channels, widths))
        self.logits = _Classifier()

    def forward(self, clip: Float[Tensor, "b 3 t h w"]) -> Float[Tensor, "b classes"]:
        """Scores of clips of RGB in [-1, 1]; at least 9 frames of 193 px."""
        x = _pool_same(self.Conv3d_1a_7x7(clip), (1, 3, 3), (1, 2, 2))
        x = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x))
        for name in _BLOCKS:
            if name in _POOLS:
                x = _pool_same(x, *_POOLS[name])
            x = self.get_submodule(name)(x)
        scores: Tensor = self.logits(F.avg_pool3d(x, (2, 7, 7), stride=1))
        return scores.mean(dim=(2, 3, 4))


def load_i3d(path: str | Path) -> I3d:
    """The network with weights from a safetensors file.

    Raises:
        UsageError: the file cannot be read, or tensors are absent or of another shape.
    """
    hint = "use the RGB weights of I3D with 400 classes, in pytorch-i3d's state-dict layout"
    return load_weights(I3d(), read_weights_file(path, "I3D"), path, "I3D", hint)


class _Unit(nn.Module):
    """Convolution with TensorFlow's "same" padding, batch norm and ReLU."""

    def __init__(self, channels: int, width: int, side: int, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(channels, width, side, stride=stride, bias=False)
        self.bn = nn.BatchNorm3d(width, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.bn(self.conv3d(_pad_same(x, self.conv3d.kernel_size, self.conv3d.stride)))
        return F.relu(normed)


class _Block(nn.Module):
    def __init__(self, channels: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        self.b0 = _Unit(channels, widths[0], 1)
        self.b1a, self.b1b = _Unit(channels, widths[1], 1), _Unit(widths[1], widths[2], 3)
        self.b2a, self.b2b = _Unit(channels, widths[3], 1), _Unit(widths[3], widths[4], 3)
        self.b3b = _Unit(channels, widths[5], 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.b3b(_pool_same(x, (3, 3, 3), (1, 1, 1)))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), pooled], dim=1)


class _Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(1024, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.conv3d(x)
        return scores


def _pool_same(x: Tensor, side: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    return F.max_pool3d(_pad_same(x, side, stride), side, stride)


def _pad_same(x: Tensor, side: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Zeros around x such that a window of ``side`` gives ceil(size / stride) values, the odd one behind."""
    padding: list[int] = []
    for size, window, step in zip(x.shape[2:], side, stride, strict=True):
        total = max(window - (step if size % step == 0 else size % step), 0)
        padding = [total // 2, total - total // 2, *padding]
    return F.pad(x, padding)
