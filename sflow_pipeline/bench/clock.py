"""The clock of a device: processor time on a CPU, which other programs do not lengthen much, seconds on a GPU."""

import time
from collections.abc import Callable

import torch


class Clock:
    """Times calls.

    Args:
        device: ``cpu``: processor time of all threads; ``cuda``: seconds, with the GPU's queue empty before and after
            the call; ``disk``: seconds.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._read = time.process_time if device == "cpu" else time.perf_counter

    @property
    def unit(self) -> str:
        """What the seconds are: ``CPU`` of all threads, or on the ``wall``."""
        return "CPU" if self._device == "cpu" else "wall"

    def time(self, call: Callable[[], object]) -> float:
        """Seconds that a call takes."""
        self._wait()
        started = self._read()
        call()
        self._wait()
        return self._read() - started

    def _wait(self) -> None:
        if self._device.startswith("cuda"):
            torch.cuda.synchronize(self._device)
