"""Atomic write of one local file."""

from pathlib import Path

from sflow_pipeline.storage.filesystem import Folder


def write_whole(path: Path, data: bytes) -> None:
    """Write a local file atomically: readers find the old content or all of the new, also after a crash.

    Written beside its final place, synced to disk, then renamed.

    Raises:
        OutputError: the disk is full, the folder is read-only, ….
    """
    Folder(str(path.parent)).write_bytes(path.name, data)
