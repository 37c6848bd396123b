"""Inception-v3 up to its 2048 pooled features, in the two flavours whose weights are in use, loaded from safetensors.

Published FID numbers come from the 2015 TensorFlow weights (1008 outputs), whose average pools leave the padding out
and whose last block pools by maximum. torchvision's weights (1000 outputs) belong to the network as it was printed
(Szegedy et al. 2016). Their features differ, so distances over them do, too, and bear different names.
"""

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sflow_pipeline.errors import UsageError
from sflow_pipeline.networks.weights_file import load_weights, read_weights_file

#: Input side; the range is [-1, 1].
INPUT_PX = 299
_CLASSES_FID, _CLASSES_TORCHVISION = 1008, 1000


class _Conv(NamedTuple):
    """Output channels, kernel (height, width), stride, padding (height, width)."""

    channels: int
    kernel: tuple[int, int]
    stride: int = 1
    padding: tuple[int, int] = (0, 0)


_WIDE: tuple[tuple[int, int], tuple[int, int]] = ((1, 7), (0, 3))
_TALL: tuple[tuple[int, int], tuple[int, int]] = ((7, 1), (3, 0))


def _one(channels: int) -> _Conv:
    return _Conv(channels, (1, 1))


def _three(channels: int, stride: int = 1) -> _Conv:
    return _Conv(channels, (3, 3), stride, (0, 0) if stride == 2 else (1, 1))


class _ConvUnit(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels: int, conv: _Conv) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, conv.channels, conv.kernel, conv.stride, conv.padding, bias=False)
        self.bn = nn.BatchNorm2d(conv.channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Block(nn.Module):
    """Branches side by side; a branch is the names of the units it runs through, and may share its first ones."""

    def __init__(
        self, channels: int, units: dict[str, _Conv], branches: tuple[tuple[str, ...], ...], pool: str
    ) -> None:
        super().__init__()
        sources = {name: before for branch in branches for before, name in zip(("", *branch), branch, strict=False)}
        for name, conv in units.items():
            before = sources.get(name, "")
            self.add_module(name, _ConvUnit(units[before].channels if before else channels, conv))
        self._branches = branches
        self._pool = pool
        has_pool_unit = "branch_pool" in units
        last = sum(units[branch[-1]].channels for branch in branches)
        self.channels = last + (units["branch_pool"].channels if has_pool_unit else channels)
        self._has_pool_unit = has_pool_unit

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for branch in self._branches:
            y = x
            for name in branch:
                y = self.get_submodule(name)(y)
            outputs.append(y)
        pooled = self._run_pool(x)
        outputs.append(self.get_submodule("branch_pool")(pooled) if self._has_pool_unit else pooled)
        return torch.cat(outputs, dim=1)

    def _run_pool(self, x: Tensor) -> Tensor:
        if self._pool == "stride2":
            return F.max_pool2d(x, 3, stride=2)
        if self._pool == "maximum":
            return F.max_pool2d(x, 3, stride=1, padding=1)
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=self._pool == "mean_with_padding")


class InceptionFeatures(nn.Module):
    """Inception-v3 without its classifier, module names as in torchvision's state dict.

    Args:
        is_fid: the flavour of the TensorFlow weights that FID is defined over.
    """

    def __init__(self, *, is_fid: bool) -> None:
        super().__init__()
        self.is_fid = is_fid
        mean = "mean" if is_fid else "mean_with_padding"
        self.Conv2d_1a_3x3 = _ConvUnit(3, _Conv(32, (3, 3), 2))
        self.Conv2d_2a_3x3 = _ConvUnit(32, _Conv(32, (3, 3)))
        self.Conv2d_2b_3x3 = _ConvUnit(32, _three(64))
        self.Conv2d_3b_1x1 = _ConvUnit(64, _one(80))
        self.Conv2d_4a_3x3 = _ConvUnit(80, _Conv(192, (3, 3)))
        channels = 192
        for name, block in (
            *((f"Mixed_5{letter}", _block_35(width, mean)) for letter, width in zip("bcd", (32, 64, 64), strict=True)),
            ("Mixed_6a", _block_35_to_17()),
            *(
                (f"Mixed_6{letter}", _block_17(width, mean))
                for letter, width in zip("bcde", (128, 160, 160, 192), strict=True)
            ),
            ("Mixed_7a", _block_17_to_8()),
            ("Mixed_7b", _block_8(mean)),
            ("Mixed_7c", _block_8("maximum" if is_fid else mean)),
        ):
            module = _Block(channels, *block)
            self.add_module(name, module)
            channels = module.channels

    def forward(self, photo: Float[Tensor, "b 3 299 299"]) -> Float[Tensor, "b 2048"]:
        """Pooled features of photos in [-1, 1]."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(photo)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))
        x = F.max_pool2d(x, 3, stride=2)
        for name, module in self.named_children():
            if name.startswith("Mixed"):
                x = module(x)
        return torch.mean(x, dim=(2, 3))


_BlockPlan = tuple[dict[str, _Conv], tuple[tuple[str, ...], ...], str]


def _block_35(pool_channels: int, pool: str) -> _BlockPlan:
    units = {
        "branch1x1": _one(64),
        "branch5x5_1": _one(48),
        "branch5x5_2": _Conv(64, (5, 5), 1, (2, 2)),
        "branch3x3dbl_1": _one(64),
        "branch3x3dbl_2": _three(96),
        "branch3x3dbl_3": _three(96),
        "branch_pool": _one(pool_channels),
    }
    double = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
    return units, (("branch1x1",), ("branch5x5_1", "branch5x5_2"), double), pool


def _block_35_to_17() -> _BlockPlan:
    units = {
        "branch3x3": _three(384, stride=2),
        "branch3x3dbl_1": _one(64),
        "branch3x3dbl_2": _three(96),
        "branch3x3dbl_3": _three(96, stride=2),
    }
    return units, (("branch3x3",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")), "stride2"


def _block_17(width: int, pool: str) -> _BlockPlan:
    units = {
        "branch1x1": _one(192),
        "branch7x7_1": _one(width),
        "branch7x7_2": _Conv(width, _WIDE[0], 1, _WIDE[1]),
        "branch7x7_3": _Conv(192, _TALL[0], 1, _TALL[1]),
        "branch7x7dbl_1": _one(width),
        "branch7x7dbl_2": _Conv(width, _TALL[0], 1, _TALL[1]),
        "branch7x7dbl_3": _Conv(width, _WIDE[0], 1, _WIDE[1]),
        "branch7x7dbl_4": _Conv(width, _TALL[0], 1, _TALL[1]),
        "branch7x7dbl_5": _Conv(192, _WIDE[0], 1, _WIDE[1]),
        "branch_pool": _one(192),
    }
    seven = tuple(f"branch7x7_{step}" for step in range(1, 4))
    double = tuple(f"branch7x7dbl_{step}" for step in range(1, 6))
    return units, (("branch1x1",), seven, double), pool


def _block_17_to_8() -> _BlockPlan:
    units = {
        "branch3x3_1": _one(192),
        "branch3x3_2": _three(320, stride=2),
        "branch7x7x3_1": _one(192),
        "branch7x7x3_2": _Conv(192, _WIDE[0], 1, _WIDE[1]),
        "branch7x7x3_3": _Conv(192, _TALL[0], 1, _TALL[1]),
        "branch7x7x3_4": _three(192, stride=2),
    }
    seven = tuple(f"branch7x7x3_{step}" for step in range(1, 5))
    return units, (("branch3x3_1", "branch3x3_2"), seven), "stride2"


def _block_8(pool: str) -> _BlockPlan:
    units = {
        "branch1x1": _one(320),
        "branch3x3_1": _one(384),
        "branch3x3_2a": _Conv(384, (1, 3), 1, (0, 1)),
        "branch3x3_2b": _Conv(384, (3, 1), 1, (1, 0)),
        "branch3x3dbl_1": _one(448),
        "branch3x3dbl_2": _three(384),
        "branch3x3dbl_3a": _Conv(384, (1, 3), 1, (0, 1)),
        "branch3x3dbl_3b": _Conv(384, (3, 1), 1, (1, 0)),
        "branch_pool": _one(192),
    }
    split = tuple(("branch3x3_1", f"branch3x3_2{side}") for side in "ab")
    double = tuple(("branch3x3dbl_1", "branch3x3dbl_2", f"branch3x3dbl_3{side}") for side in "ab")
    return units, (("branch1x1",), *split, *double), pool


def load_inception(path: str | Path) -> InceptionFeatures:
    """The network with weights from a safetensors file; its classifier tells which flavour they are.

    Raises:
        UsageError: the file cannot be read, or tensors are absent or of another shape.
    """
    state = read_weights_file(path, "Inception")
    classes = state["fc.weight"].shape[0] if "fc.weight" in state else None
    if classes not in (_CLASSES_FID, _CLASSES_TORCHVISION):
        raise UsageError(
            f"Inception weights {path}: {'no fc.weight' if classes is None else f'{classes} classes'}, expected "
            f"{_CLASSES_FID} (FID's TensorFlow weights) or {_CLASSES_TORCHVISION} (torchvision's)",
            hint="keep the classifier in the file: it tells which network the weights belong to",
        )
    network = InceptionFeatures(is_fid=classes == _CLASSES_FID)
    hint = "use Inception-v3 weights in torchvision's or pytorch-fid's state-dict layout"
    return load_weights(network, state, path, "Inception", hint)
