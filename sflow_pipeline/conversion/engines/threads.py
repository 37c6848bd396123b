"""One thread per library in every worker: more would contend for the cores, and results must not depend on counts."""

from collections.abc import Iterator
from contextlib import contextmanager


def limit_opencv() -> None:
    """Make OpenCV use one thread from now on."""
    import cv2

    cv2.setNumThreads(1)


def limit_threads() -> None:
    """Make OpenCV and torch use one thread from now on."""
    import torch

    limit_opencv()
    torch.set_num_threads(1)


@contextmanager
def single_threaded() -> Iterator[None]:
    """One thread for OpenCV and torch inside the block; restored afterwards."""
    import cv2
    import torch

    before = (cv2.getNumThreads(), torch.get_num_threads())
    limit_threads()
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])
