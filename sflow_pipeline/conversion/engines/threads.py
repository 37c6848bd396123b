"""One thread per library in every worker: more contend for the same cores, and counts must not decide bytes."""

from collections.abc import Iterator
from contextlib import contextmanager


def limit_threads() -> None:
    """Make OpenCV and torch use one thread from now on."""
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)


@contextmanager
def single_threaded() -> Iterator[None]:
    """One thread for OpenCV and torch inside the block; as it was afterwards."""
    import cv2
    import torch

    before = (cv2.getNumThreads(), torch.get_num_threads())
    limit_threads()
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])
