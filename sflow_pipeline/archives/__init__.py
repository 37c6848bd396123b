"""Zip, tar and HDF5 files, videos and records, read as folders without unpacking."""

import os
import posixpath
import re
from collections.abc import Sequence
from functools import lru_cache

from sflow_pipeline.archives.archive import Archive, ArchiveError
from sflow_pipeline.archives.hdf5_file import open_hdf5
from sflow_pipeline.archives.records import is_record_name, open_records
from sflow_pipeline.archives.tar_file import open_tar
from sflow_pipeline.archives.video_file import open_video
from sflow_pipeline.archives.zip_file import open_zip
from sflow_pipeline.untrusted.regular_file import read_regular

__all__ = [
    "ArchiveError",
    "are_plain_names",
    "is_archive_name",
    "is_packed_name",
    "open_archive",
    "split_archive",
]

#: Suffixes of neither archives nor records, checked first: nearly all files of a dump have them.
_PLAIN_SUFFIXES = (".png", ".jpg", ".npy", ".npz", ".exr")
#: Names that are read as folders. Videos only if their name says rgb or semantic; others are previews.
_NAME = re.compile(
    r".*\.(?:(?P<zip>zip)|(?P<tar>tar)|(?P<hdf5>hdf5|h5))"
    r"|(?:.*[._-])?(?:rgb|semantic)\.(?P<video>mp4|mkv|avi|mov|webm)",
    re.IGNORECASE | re.DOTALL,
)
#: Names of archives without random access, and of formats that are not supported.
_PACKED = re.compile(r".*\.(?:tgz|tbz2?|txz|tar\.\w+|7z|rar)", re.IGNORECASE | re.DOTALL)
_OPENERS = {"zip": open_zip, "tar": open_tar, "hdf5": open_hdf5, "video": open_video}


def is_archive_name(name: str) -> bool:
    """Whether a file of this name is read as a folder.

    >>> [is_archive_name(name) for name in ("img.zip", "town_rgb.mp4", "preview.mp4", "0001.png")]
    [True, True, False, False]
    """
    return not name.endswith(_PLAIN_SUFFIXES) and _NAME.fullmatch(name) is not None


def are_plain_names(names: Sequence[str]) -> bool:
    """Whether all of these names or paths have suffixes of neither archives nor records, as nearly all do.

    >>> are_plain_names(["0001.png", "a.b/0001.npy"]), are_plain_names(["0001.png", "img.zip"]), are_plain_names([])
    (True, False, True)
    """
    together = "\n".join((*names, ""))
    left = len(names)
    for suffix in sorted(_PLAIN_SUFFIXES, key=lambda suffix: not (names and names[0].endswith(suffix))):
        if not left:  # one suffix that all have is the usual case
            break
        left -= together.count(f"{suffix}\n")
    return not left


def is_packed_name(name: str) -> bool:
    """Whether a file of this name is an archive that has to be unpacked first.

    >>> is_packed_name("img.tar.gz"), is_packed_name("img.tar")
    (True, False)
    """
    return not name.endswith(_PLAIN_SUFFIXES) and _PACKED.fullmatch(name) is not None


def split_archive(path: str) -> tuple[str, str] | None:
    """Cut a local path at the last archive or record it leads into: (archive, path in it); None for an ordinary path.

    >>> split_archive("/data/0001.png") is None
    True
    """
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        name = parts[end - 1]
        may_lead_on = "." in name and (is_archive_name(name) or (end < len(parts) and is_record_name(name)))
        if may_lead_on and os.path.isfile("/".join(parts[:end])):
            record = next((i for i in range(end + 1, len(parts)) if is_record_name(parts[i - 1])), end)
            return "/".join(parts[:record]), "/".join(part for part in parts[record:] if part)
    return None


def open_archive(path: str) -> Archive:
    """Read an archive's table of contents; the last few archives stay open.

    Args:
        path: of a file, or of a record in an archive.

    Raises:
        ArchiveError: it is damaged, or a library is needed and not installed.
        OSError: as the filesystem says.
    """
    outer = split_archive(path) if is_record_name(path.rpartition("/")[2]) else None
    if outer is None or outer[0] == path:
        facts = os.stat(path)
        return _open(path, facts.st_size, facts.st_mtime_ns)
    archive = open_archive(outer[0])
    if outer[1] not in archive.marks:
        raise FileNotFoundError(2, "not in the archive", path)
    return _open(path, archive.find_size(outer[1]), archive.marks[outer[1]])


def read_file(path: str) -> bytes:
    """A whole local file, or one in an archive or record.

    Raises:
        FileNotFoundError, OSError: as the filesystem says, or it is no regular file or too large.
    """
    inside = split_archive(path)
    if inside is not None and inside[1]:
        return open_archive(inside[0]).read(inside[1])
    return read_regular(path)


@lru_cache(maxsize=64)
def _open(path: str, _size_bytes: int, mtime_ns: int) -> Archive:  # both: a rewritten archive is opened anew
    folder, _, name = path.rpartition("/")
    if is_record_name(name):
        return open_records(name, lambda other: read_file(posixpath.normpath(f"{folder}/{other}")))
    match = _NAME.fullmatch(name)
    if match is None:
        raise ArchiveError(0, "not an archive")
    return next(opener for kind, opener in _OPENERS.items() if match[kind])(path, mtime_ns)
