"""Zip, tar and HDF5 files and videos read as if they were folders, so that a dump needs no unpacking."""

import os
import re
from functools import lru_cache

from sflow_pipeline.archives.archive import MAX_MEMBER_BYTES, Archive, ArchiveError
from sflow_pipeline.archives.hdf5_file import open_hdf5
from sflow_pipeline.archives.tar_file import open_tar
from sflow_pipeline.archives.video_file import open_video
from sflow_pipeline.archives.zip_file import open_zip

__all__ = ["MAX_MEMBER_BYTES", "Archive", "ArchiveError", "is_archive_name", "open_archive", "split_archive"]

#: Names that are read as folders. Of videos, those that are named after what they show: others are previews.
_NAME = re.compile(
    r".*\.(?:(?P<zip>zip)|(?P<tar>tar)|(?P<hdf5>hdf5|h5))"
    r"|(?:.*[._-])?(?:rgb|semantic)\.(?P<video>mp4|mkv|avi|mov|webm)",
    re.IGNORECASE | re.DOTALL,
)
_OPENERS = {"zip": open_zip, "tar": open_tar, "hdf5": open_hdf5, "video": open_video}


def is_archive_name(name: str) -> bool:
    """Whether a file of this name is read as a folder.

    >>> [is_archive_name(name) for name in ("img.zip", "town_rgb.mp4", "preview.mp4", "0001.png")]
    [True, True, False, False]
    """
    return _NAME.fullmatch(name) is not None


def split_archive(path: str) -> tuple[str, str] | None:
    """Cut a local path at the archive it leads into: (archive, path in it); None for an ordinary path.

    >>> split_archive("/data/0001.png") is None
    True
    """
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        name = parts[end - 1]
        if "." in name and is_archive_name(name):
            archive = "/".join(parts[:end])
            if os.path.isfile(archive):
                return archive, "/".join(part for part in parts[end:] if part)
    return None


def open_archive(path: str) -> Archive:
    """Read an archive's table of contents; the last few archives stay open.

    Raises:
        ArchiveError: it is damaged, or a library is needed and not installed.
        OSError: as the filesystem says.
    """
    facts = os.stat(path)
    return _open(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=64)
def _open(path: str, _size_bytes: int, mtime_ns: int) -> Archive:  # both: a rewritten archive is opened anew
    match = _NAME.fullmatch(path.rpartition("/")[2])
    if match is None:
        raise ArchiveError(0, "not an archive")
    return next(opener for kind, opener in _OPENERS.items() if match[kind])(path, mtime_ns)
