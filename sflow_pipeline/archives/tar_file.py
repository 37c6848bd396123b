"""Tar files as folders; compressed ones have no random access and are not read."""

import math
import tarfile

from sflow_pipeline.archives.archive import Archive, ArchiveError, build_archive, check_size


def open_tar(path: str, mtime_ns: int) -> Archive:
    """Open a tar file; links in it are passed over.

    Raises:
        ArchiveError: it is damaged.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            members = {info.name.removeprefix("./"): info for info in archive if info.isreg() and not info.issparse()}
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise ArchiveError(0, f"not a whole tar file ({error}); copy it again") from error

    def read(name: str) -> bytes:
        info = members[name]
        check_size(name, info.size)
        with open(path, "rb") as file:
            file.seek(info.offset_data)
            data = file.read(info.size)
        if len(data) != info.size:
            raise ArchiveError(0, f"{name} is cut short; copy the archive again")
        return data

    sizes = {name: info.size for name, info in members.items()}
    return build_archive({name: _mark(info) or mtime_ns for name, info in members.items()}, sizes, read)


def _mark(info: tarfile.TarInfo) -> int:
    """The time of the last change, in nanoseconds; extended headers may hold any text, and some no number.

    0, as reproducible archives have it, says nothing: the time of the archive counts then.
    """
    return int(info.mtime * 1e9) if math.isfinite(info.mtime) and abs(info.mtime) < 1e12 else 0
