"""Memory of large arrays is used again instead of being returned to the system and cleared by it for every frame."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of glibc's mallopt, and their values when nobody sets them.
_TRIM_THRESHOLD, _USUAL_TRIM_THRESHOLD = -1, 128 * 1024
_MMAP_MAX, _USUAL_MMAP_MAX = -4, 65536
_NEVER_TRIM = 2**31 - 1


def reuse_memory() -> None:
    """From now on, keep freed memory in the process; without effect where the C library is not glibc.

    At 1280x720 a frame's arrays are above the size at which every allocation is a new mapping, and the system clears
    165 000 pages a frame: a fifth of the time.
    """
    _set_malloc(mmap_max=0, trim_threshold=_NEVER_TRIM)


@contextmanager
def reused_memory() -> Iterator[None]:
    """Keep freed memory inside the block; what is free afterwards goes back to the system."""
    reuse_memory()
    try:
        yield
    finally:
        _set_malloc(mmap_max=_USUAL_MMAP_MAX, trim_threshold=_USUAL_TRIM_THRESHOLD)
        if (library := _find_glibc()) is not None:
            library.malloc_trim(0)


def _set_malloc(mmap_max: int, trim_threshold: int) -> None:
    library = _find_glibc()
    if library is not None:
        library.mallopt(_MMAP_MAX, mmap_max)
        library.mallopt(_TRIM_THRESHOLD, trim_threshold)


def _find_glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
