"""Weights as files hold them: float16, or int8 with a scale for each output channel, in half the bytes."""

from collections.abc import Mapping

import torch
from torch import Tensor

#: Ending of the name of a tensor's scales.
_SCALE = ":scale"


def to_float16(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors in float16, on the CPU."""
    return {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in weights.items()}


def to_int8(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Kernels of convolutions in int8, each with its scales (out, 1, 1, 1) in float32; other tensors in float16.

    >>> kernel = torch.tensor([1.27, -0.5]).view(2, 1, 1, 1)
    >>> {name: value.flatten().tolist() for name, value in to_int8({"conv": kernel}).items() if name == "conv"}
    {'conv': [127, -127]}
    >>> (unpack_weights(to_int8({"conv": kernel}))["conv"] - kernel).abs().max().item() < 0.001
    True
    """
    packed: dict[str, Tensor] = {}
    for name, value in to_float16(weights).items():
        if value.ndim != 4:
            packed[name] = value
            continue
        scale = value.float().abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6) / 127
        packed[name] = (value.float() / scale).round().to(torch.int8)
        packed[name + _SCALE] = scale
    return packed


def unpack_weights(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a file, of ``to_float16`` or ``to_int8``, as float32.

    Raises:
        KeyError: a tensor in int8 has no scales.
    """
    tensors = {name: value for name, value in packed.items() if not name.endswith(_SCALE)}
    return {
        name: value.float() * packed[name + _SCALE] if value.dtype == torch.int8 else value.float()
        for name, value in tensors.items()
    }
