"""Facts of local files, and scratch files of writers."""

import contextlib
import os
import stat
import time
from pathlib import Path
from typing import NamedTuple

from sflow_pipeline.archives import open_archive, split_archive
from sflow_pipeline.storage.process_identity import host_name, is_process_alive

#: Start of the names of scratch files; then host name and process id of their writer.
TEMP_PREFIX = ".sflow-tmp-"
_TEMP_MAX_AGE_S = 24 * 3600.0


class FileFacts(NamedTuple):
    """Size in bytes and modification time of a file; size -1 where it does not exist."""

    size_bytes: int
    mtime_ns: int


def stat_local(path: str) -> FileFacts:
    """Facts of a local file, or of a file in a local archive."""
    try:
        inside = split_archive(path)
        if inside is not None:
            archive = open_archive(inside[0])
            return FileFacts(archive.find_size(inside[1]), archive.marks[inside[1]])
        facts = os.stat(path)
    except (OSError, ValueError, KeyError):
        return FileFacts(-1, 0)
    return FileFacts(facts.st_size, facts.st_mtime_ns) if stat.S_ISREG(facts.st_mode) else FileFacts(-1, 0)


def try_remove(scratch: Path) -> None:
    """Remove a file; where that fails, as on a read-only file system, the error of writing is the one to report."""
    with contextlib.suppress(OSError):
        scratch.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Write a file or folder through to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_abandoned(scratch: Path) -> bool:
    """Whether the writer of a scratch file is dead, or, on another machine, the file is a day old."""
    host, _, rest = scratch.name.removeprefix(TEMP_PREFIX).partition("-")
    pid = rest.partition("-")[0]
    if host == host_name() and pid.isdigit():
        return not is_process_alive(int(pid))
    try:
        return time.time() - scratch.stat().st_mtime > _TEMP_MAX_AGE_S
    except OSError:
        return False
