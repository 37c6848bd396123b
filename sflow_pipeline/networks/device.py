"""The device that networks run on and the number format they run in."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeVar, cast, get_args

import torch
from torch import nn

from sflow_pipeline.config.field_types import DEVICE_PATTERN
from sflow_pipeline.errors import UsageError
from sflow_pipeline.networks.precision import choose_cpu_precision

Precision = Literal["fp32", "bf16"]
Network = TypeVar("Network", bound=nn.Module)


class Device(NamedTuple):
    """A concrete device and number format.

    Attributes:
        name: ``cpu``, ``cuda`` or ``cuda:N``, as torch takes it.
        precision: ``fp32`` or ``bf16``.
    """

    name: str
    precision: Precision = "fp32"

    @property
    def dtype(self) -> torch.dtype:
        """The number format as torch's type.

        >>> Device("cpu", "bf16").dtype
        torch.bfloat16
        """
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    @property
    def is_cpu(self) -> bool:
        """Whether this is no GPU."""
        return self.name == "cpu"

    def with_precision(self, stated: str, recorded: str) -> "Device":
        """The same device in the stated precision; where that is ``auto``, in the recorded one.

        >>> Device("cpu", "bf16").with_precision("auto", "fp32")
        Device(name='cpu', precision='fp32')
        """
        return self._replace(precision=cast(Precision, recorded if stated == "auto" else stated))

    def autocast(self) -> torch.autocast:
        """Mixed precision for training: bf16 where the precision is bf16, disabled otherwise."""
        return torch.autocast(torch.device(self.name).type, dtype=torch.bfloat16, enabled=self.precision == "bf16")


def resolve_device(device: str = "auto", precision: str = "auto") -> Device:
    """The concrete device and precision.

    ``auto`` is a GPU where there is one, and bf16 where it is fast: on GPUs with native support, on CPUs by a
    measurement that is taken once per machine (``choose_cpu_precision``).

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto``, ``fp32`` or ``bf16``.

    Raises:
        UsageError: there is no such device.

    >>> resolve_device("cpu", "fp32")
    Device(name='cpu', precision='fp32')
    """
    if not re.fullmatch(DEVICE_PATTERN, device):
        raise UsageError(f"--device {device}: no such device", hint="use auto, cpu, cuda or cuda:N")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cpu" and not torch.cuda.is_available():
        raise UsageError(f"--device {device}: torch {torch.__version__} finds no GPU", hint="use --device cpu or auto")
    number = int(device.partition(":")[2] or 0)
    if device != "cpu" and number >= (count := torch.cuda.device_count()):
        raise UsageError(
            f"--device {device}: there are {count} GPUs, counted from 0", hint=f"use --device cuda:{count - 1} or cuda"
        )
    if precision not in ("auto", *get_args(Precision)):
        raise UsageError(
            f"precision {precision!r}: no such precision", hint=f"use auto, {', '.join(get_args(Precision))}"
        )
    if precision != "auto":
        return Device(device, cast(Precision, precision))
    if device == "cpu":
        return Device(device, choose_cpu_precision())
    return Device(device, "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32")


def place_network(network: Network, device: torch.device | str, dtype: torch.dtype = torch.float32) -> Network:
    """Move a network to a device and number format, its weights in channels-last order, which convolutions favour."""
    network.to(device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def send(tensor: torch.Tensor, device: torch.device | str, place: torch.Tensor | None = None) -> torch.Tensor:
    """A tensor on a device; from the host to a GPU through pinned memory, so that nothing waits for what it computes.

    Args:
        place: memory of the device that the tensor is written to; new memory where None.

    >>> send(torch.ones(2), "cpu").tolist()
    [1.0, 1.0]
    """
    is_pinned = torch.device(device).type == "cuda" and tensor.device.type == "cpu"
    source = tensor.pin_memory() if is_pinned else tensor
    if place is None:
        return source.to(device, non_blocking=is_pinned)
    return place.copy_(source, non_blocking=is_pinned)


def fetch(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Copies of tensors on the host; from a GPU into pinned memory, waiting for it once.

    >>> fetch([torch.ones(2), torch.zeros(1)])
    [tensor([1., 1.]), tensor([0.])]
    """
    is_on_gpu = any(tensor.is_cuda for tensor in tensors)
    copies = [
        torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=is_on_gpu).copy_(tensor, non_blocking=is_on_gpu)
        for tensor in tensors
    ]
    if is_on_gpu:
        torch.cuda.current_stream(tensors[0].device).synchronize()
    return copies
