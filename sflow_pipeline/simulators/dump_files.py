"""Access to a dump's files in a local folder, in archives (zip, tar, HDF5) or in an object store (``s3://…``)."""

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from sflow_pipeline.addresses import find_local
from sflow_pipeline.archives import is_archive_name
from sflow_pipeline.storage.filesystem import Folder


def is_remote(root: str) -> bool:
    """Whether a dump is in an object store.

    >>> is_remote("s3://bucket/dump"), is_remote("/data/dump")
    (True, False)
    """
    return "://" in root


def local_path(root: str) -> str:
    """The plain path of a local folder; addresses of object stores stay as they are.

    >>> local_path("file:///data/dump"), local_path("s3://bucket/dump")
    ('/data/dump', 's3://bucket/dump')
    """
    plain = find_local(root)
    return plain if is_remote(plain) else os.path.expanduser(plain)


@lru_cache(maxsize=4)
def open_folder(root: str) -> Folder:
    """The dump's folder; a connection to an object store is made once.

    Raises:
        UsageError: the address of an object store is wrong or cannot be reached.
    """
    return Folder(root)


def find_kind(root: str) -> Literal["folder", "file", "missing"]:
    """Kind of the thing at ``root``.

    Raises:
        UsageError: the address of an object store is wrong or cannot be reached.
    """
    if not is_remote(root):
        if os.path.isdir(root) or (is_archive_name(root) and os.path.isfile(root)):
            return "folder"
        return "file" if os.path.exists(root) else "missing"
    return open_folder(root).find_kind()


def list_remote(root: str, path: str) -> Iterator[tuple[str, bool]]:
    """(name, is a folder) of everything directly in a folder of an object store."""
    yield from open_folder(root).list_entries(path)
