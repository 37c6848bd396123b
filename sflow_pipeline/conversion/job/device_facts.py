"""The device that frames are converted on, and how many frames are translated at once."""

from typing import NamedTuple

#: Most frames per batch on a GPU.
_GPU_BATCH = 8
#: Peak memory of translating one pixel: 550 bytes in fp32 with bundle 0.7.0 on a CPU, and a margin for workspaces.
_BYTES_PER_PIXEL = 1000
_USABLE_SHARE = 0.5


class DeviceFacts(NamedTuple):
    """A concrete device.

    Attributes:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``fp32`` or ``bf16``.
        memory_bytes: of a GPU; 0 for a CPU.
    """

    device: str
    precision: str
    memory_bytes: int = 0


def find_device(device: str, precision: str) -> DeviceFacts:
    """The concrete device of this process.

    Raises:
        UsageError: there is no such device.
    """
    import torch

    from sflow_pipeline.networks.device import resolve_device

    placed = resolve_device(device, precision)
    memory_bytes = 0 if placed.is_cpu else torch.cuda.get_device_properties(placed.name).total_memory
    return DeviceFacts(placed.name, placed.precision, memory_bytes)


def choose_batch_size(facts: DeviceFacts, pixels: int) -> int:
    """Frames per batch: 1 on a CPU, where batches bring no speed; on a GPU 8, or as many as fit.

    Args:
        facts: the device.
        pixels: of the largest frame.

    >>> choose_batch_size(DeviceFacts("cpu", "fp32"), 512 * 256)
    1
    >>> gpu = DeviceFacts("cuda", "bf16", memory_bytes=16 << 30)
    >>> choose_batch_size(gpu, 512 * 256), choose_batch_size(gpu, 1920 * 1080), choose_batch_size(gpu, 7680 * 4320)
    (8, 4, 1)
    """
    if facts.device == "cpu":
        return 1
    fitting = int(facts.memory_bytes * _USABLE_SHARE / (pixels * _BYTES_PER_PIXEL))
    return max(1, min(_GPU_BATCH, fitting))
