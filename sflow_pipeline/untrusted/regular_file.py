"""Reads regular files of bounded size: a FIFO, socket or device in their place is an error and not a wait."""

import errno
import os
import stat
from pathlib import Path

from sflow_pipeline.untrusted.limits import FILE_BYTES_VARIABLE, read_limits

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def check_regular(path: str | Path) -> None:
    """Refuse what is no regular file; links are followed.

    Raises:
        FileNotFoundError, OSError: it is not there, or is a FIFO, socket, device or folder.
    """
    _check(os.stat(path), str(path))


def read_regular(path: str | Path, max_bytes: int | None = None) -> bytes:
    """The whole of a regular file.

    Args:
        path: of the file; links are followed.
        max_bytes: a larger file is refused; the process's limit where None.

    Raises:
        FileNotFoundError, OSError: as the filesystem says; it is no regular file, or too large.
    """
    # Without O_NONBLOCK, opening a FIFO waits for a writer; for regular files it changes nothing.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with open(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        _check(facts, str(path))
        check_bytes(str(path), facts.st_size, max_bytes)
        return file.read()


def check_bytes(name: str, size_bytes: int, max_bytes: int | None = None) -> None:
    """Refuse a file that would fill the memory.

    Raises:
        OSError: it has more bytes than the limit.
    """
    limit = read_limits().file_bytes if max_bytes is None else max_bytes
    if size_bytes > limit:
        way_out = f"; set {FILE_BYTES_VARIABLE} to allow more" if max_bytes is None else ""
        raise OSError(errno.EFBIG, f"has {size_bytes} bytes, more than the limit of {limit}{way_out}", name)


def _check(facts: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(facts.st_mode):
        kind = _KINDS.get(stat.S_IFMT(facts.st_mode), "no file")
        number = errno.EISDIR if stat.S_ISDIR(facts.st_mode) else errno.EINVAL
        raise OSError(number, f"is {kind}, where a regular file was expected", path)
