"""The most that this machine does, measured: arithmetic, memory, deflate, and files on disk."""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from sflow_pipeline.bench.clock import Clock
from sflow_pipeline.networks.device import Device

_ROUNDS = 3
_MATRIX = {True: 1024, False: 8192}
_FILE_BYTES = 32 << 20


@dataclass(frozen=True)
class Ceilings:
    """Rates, on a CPU of one thread.

    Attributes:
        flop_per_s: of matrix products or convolutions, by precision.
        memory_bytes_per_s: read and written by copies that no cache holds.
        deflate_bytes_per_s: of picture-like bytes, by zlib's level 1 with run-length matching, which PNG is made of.
        disk_bytes_per_s: of files that are written and synchronised, by the clock on the wall.
    """

    flop_per_s: dict[str, float]
    memory_bytes_per_s: float
    deflate_bytes_per_s: float
    disk_bytes_per_s: float


def measure_ceilings(devices: list[Device]) -> Ceilings:
    """The best of a few rounds of each.

    Args:
        devices: one for every precision, all of one name.
    """
    clock = Clock(devices[0].name)
    return Ceilings(
        {device.precision: _multiply(device, clock) for device in devices},
        _copy(devices[0], clock),
        _deflate(),
        _write(),
    )


def _multiply(device: Device, clock: Clock) -> float:
    """The better of a matrix product and a convolution of many channels."""
    side = _MATRIX[device.is_cpu]
    matrix = torch.ones(side, side, device=device.name, dtype=device.dtype)
    image = torch.ones(1 if device.is_cpu else 32, 192, 64, 64, device=device.name, dtype=device.dtype)
    image = image.contiguous(memory_format=torch.channels_last)
    weight = torch.ones(192, 192, 3, 3, device=device.name, dtype=device.dtype)
    weight = weight.contiguous(memory_format=torch.channels_last)
    product, convolution = (
        min(clock.time(call) for _ in range(2 * _ROUNDS))
        for call in (lambda: matrix @ matrix, lambda: torch.conv2d(image, weight, padding=1))
    )
    return max(2.0 * side**3 / product, 2.0 * image.numel() * 192 * 9 / convolution)


def _copy(device: Device, clock: Clock) -> float:
    source = torch.ones(64 << 20, device=device.name, dtype=torch.uint8)
    target = torch.zeros_like(source)
    return 2.0 * source.numel() / min(clock.time(lambda: target.copy_(source)) for _ in range(2 * _ROUNDS))


def _deflate() -> float:
    rng = np.random.default_rng(0)
    data = (rng.normal(0, 3, 2 << 20).astype(np.int8)).tobytes()

    def compress() -> None:
        packer = zlib.compressobj(1, zlib.DEFLATED, 15, 8, zlib.Z_RLE)
        packer.compress(data)
        packer.flush()

    clock = Clock("cpu")
    return len(data) / min(clock.time(compress) for _ in range(_ROUNDS))


def _write() -> float:
    data = os.urandom(_FILE_BYTES)

    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    clock = Clock("disk")
    with TemporaryDirectory(prefix="sflow-bench-") as folder:
        return len(data) / min(clock.time(lambda: write(Path(folder) / "file")) for _ in range(_ROUNDS))
