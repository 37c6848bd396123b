"""Threads that work on the frames of a batch, because a GPU waits meanwhile: they score, compare and smooth."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from numpy.typing import NDArray

_THREADS = 8
_Result = TypeVar("_Result")


def map_frames(function: Callable[..., _Result], *values: Sequence[Any] | NDArray[Any]) -> list[_Result]:
    """A function of each frame of a batch; of several frames at a time. The function must not call this itself.

    >>> map_frames(max, [1, 5], [4, 2])
    [4, 5]
    """
    if len(values[0]) == 1:
        return list(map(function, *values))
    return list(_start_threads().map(function, *values))


@cache
def _start_threads() -> ThreadPoolExecutor:
    """The threads of this process, once: to start them for every batch would take a quarter of a GPU's time for it."""
    return ThreadPoolExecutor(_THREADS, "sflow-frames")
