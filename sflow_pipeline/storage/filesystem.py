"""Files of a folder, local or in an object store, for input and output."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.fs as pafs

from sflow_pipeline.addresses import find_local, redact_address
from sflow_pipeline.archives import are_plain_names, open_archive, split_archive
from sflow_pipeline.errors import OutputError
from sflow_pipeline.storage.local_file import TEMP_PREFIX, FileFacts, is_abandoned, stat_local, sync, try_remove
from sflow_pipeline.storage.object_store import open_store
from sflow_pipeline.storage.process_identity import host_name
from sflow_pipeline.storage.write_errors import translate_write_errors
from sflow_pipeline.untrusted.regular_file import check_bytes, check_regular, read_regular

_CHUNK_BYTES = 8 << 20
_BATCH = 1024  # files per look-up
_IO_THREADS = 8


class Folder:
    """A folder, local or in an object store; files in it are named by POSIX paths relative to it.

    A file that appears in it is whole: local files are written beside their final name, synced and renamed;
    object stores have no rename, so there a file is built in local scratch space and put as one object.

    ``uri`` is for messages: keys in it are replaced.
    """

    def __init__(self, uri: str) -> None:
        self.uri = redact_address(uri)
        self._address = uri
        self._remote: pafs.FileSystem | None = None
        path = find_local(uri)
        if "://" in path:
            self._remote, self._base = open_store(path)
        else:
            self._base = str(Path(path).expanduser().absolute())

    def __reduce__(self) -> tuple[type["Folder"], tuple[str]]:
        return Folder, (self._address,)

    def __repr__(self) -> str:
        return f"Folder({self.uri!r})"

    @property
    def is_local(self) -> bool:
        return self._remote is None

    @property
    def full_uri(self) -> str:
        """The folder so that any process finds it: a URI with its keys, or an absolute path; not for messages."""
        return self._address if self._remote is not None else self._base

    def is_passing(self, error: OSError) -> bool:
        """Whether reading again may help: the file could not be reached, rather than being no file or too large."""
        if error.errno in (errno.EISDIR, errno.EINVAL, errno.EFBIG):
            return False
        return not self.is_local or bool(error.errno)  # archives say without a number that they are damaged

    def locate(self, path: str = "") -> str:
        """The full path of a file on its filesystem; paths that lead out of the folder are refused.

        >>> Folder("/data/out").locate("data/train/a.parquet")
        '/data/out/data/train/a.parquet'
        >>> Folder("/data/out").locate("../secret")
        Traceback (most recent call last):
        sflow_pipeline.errors.OutputError: path '../secret' leads out of its folder
        """
        if not path:
            return self._base
        if path.startswith("/") or "\\" in path or (".." in path and ".." in path.split("/")) or "\0" in path:
            raise OutputError(f"path {path!r} leads out of its folder", hint="rename the sequence or frame")
        return f"{self._base.rstrip('/')}/{path}"

    def exists(self) -> bool:
        if self._remote is None:
            return os.path.isdir(self._base)
        return self._remote.get_file_info(self._base).type == pafs.FileType.Directory or bool(self.list_files())

    def find_kind(self) -> Literal["folder", "file", "missing"]:
        """What is there, in an object store as on a disk."""
        kind = (self._remote or pafs.LocalFileSystem()).get_file_info(self._base.rstrip("/")).type
        return "folder" if kind == pafs.FileType.Directory else "file" if kind == pafs.FileType.File else "missing"

    def list_entries(self, path: str = "") -> Iterator[tuple[str, bool]]:
        """(name, is a folder) of everything directly in a folder, in no particular order.

        Raises:
            OSError: as the filesystem says.
        """
        selector = pafs.FileSelector(self.locate(path).rstrip("/"))
        for info in (self._remote or pafs.LocalFileSystem()).get_file_info(selector):
            yield info.base_name, info.type == pafs.FileType.Directory

    def read_bytes(self, path: str) -> bytes:
        """The whole file.

        Raises:
            FileNotFoundError, OSError: as the filesystem says.
        """
        if self._remote is None:
            full_path = self.locate(path)
            inside = split_archive(full_path)
            if inside is not None:
                return open_archive(inside[0]).read(inside[1])
            return read_regular(full_path)
        with self._remote.open_input_file(self.locate(path)) as stream:
            check_bytes(path, stream.size())
            return bytes(stream.read())

    def open_input(self, path: str) -> pa.NativeFile:
        """A seekable reader, for Parquet."""
        if self._remote is None:
            check_regular(self.locate(path))
            return pafs.LocalFileSystem().open_input_file(self.locate(path))
        return self._remote.open_input_file(self.locate(path))

    def stat(self, paths: Sequence[str]) -> list[FileFacts]:
        """Facts of many files at once."""
        if self._remote is None:
            return [stat_local(self.locate(path)) for path in paths]
        infos = self._remote.get_file_info([self.locate(path) for path in paths])
        return [
            FileFacts(info.size, info.mtime_ns or 0) if info.type == pafs.FileType.File else FileFacts(-1, 0)
            for info in infos
        ]

    def identify(self, paths: Sequence[str]) -> list[str]:
        """``<size>:<mtime_ns>`` of many files, which changes when they do; ``-1:0`` where there is no such file.

        Says what ``stat`` does, in a fraction of the time where no archive is involved: many at once, since on a
        network each takes its time.
        """
        batches = [paths[first : first + _BATCH] for first in range(0, len(paths), _BATCH)]
        with ThreadPoolExecutor(_IO_THREADS) as pool:
            return list(chain.from_iterable(pool.map(self._identify_batch, batches)))

    def _identify_batch(self, paths: Sequence[str]) -> list[str]:
        if self._remote is not None or self._holds_archived(paths):
            return [f"{size_bytes}:{mtime_ns}" for size_bytes, mtime_ns in self.stat(paths)]
        base = self._base.rstrip("/")
        infos = pafs.LocalFileSystem().get_file_info([f"{base}/{path}" for path in paths])
        return [
            "-1:0" if info.size is None else f"{info.size}:{info.mtime_ns}"  # type: ignore[redundant-expr]
            for info in infos
        ]

    def _holds_archived(self, paths: Sequence[str]) -> bool:
        """Whether some of these files could be in an archive."""
        if not are_plain_names(paths):
            return True
        if "".join(paths).count(".") == len(paths):  # no folder has a dot in its name
            return split_archive(self._base) is not None
        return any(split_archive(self.locate(folder)) for folder in {path.rpartition("/")[0] for path in paths})

    def list_files(self, path: str = "") -> list[str]:
        """Every file below ``path``, sorted, without half-written ones; nothing where there is no such folder.

        Raises:
            OutputError: a folder below ``path`` cannot be listed; without ``path`` such ones are passed over.
        """
        return [name for name in self._list(path) if not PurePosixPath(name).name.startswith(TEMP_PREFIX)]

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small file atomically.

        Raises:
            OutputError: the disk is full, the folder is read-only, …
        """
        with self.scratch(path) as scratch, translate_write_errors(f"{self.uri}: {path}"):
            scratch.path.write_bytes(data)
            scratch.publish(path)

    @contextlib.contextmanager
    def scratch(self, path: str) -> Iterator["Scratch"]:
        """A local file to write in, which becomes a file of this folder by ``publish`` and vanishes otherwise.

        Args:
            path: its final path, or a sibling (the final name may depend on the content).

        Raises:
            OutputError: the folder is read-only, …
        """
        with contextlib.ExitStack() as stack:
            if self._remote is None:
                target = Path(self.locate(path))
                with translate_write_errors(f"{self.uri}: {path}"):
                    target.parent.mkdir(parents=True, exist_ok=True)
                unique = f"{host_name()}-{os.getpid()}-{os.urandom(4).hex()}"
                scratch = target.parent / f"{TEMP_PREFIX}{unique}-{target.name[-40:]}"
            else:
                scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sflow-"))) / "object"
            stack.callback(try_remove, scratch)
            yield Scratch(self, scratch)

    def remove(self, path: str) -> None:
        """Remove a file, and the folders that it leaves empty; a missing file is no error."""
        with translate_write_errors(f"{self.uri}: {path}"):
            if self._remote is not None:
                with contextlib.suppress(FileNotFoundError):
                    self._remote.delete_file(self.locate(path))
                return
            target = Path(self.locate(path))
            target.unlink(missing_ok=True)
            parent = target.parent
            with contextlib.suppress(OSError):  # not empty
                while parent != Path(self._base) and Path(self._base) in parent.parents:
                    parent.rmdir()
                    parent = parent.parent

    def set_aside(self, path: str, place: str) -> str:
        """Move a damaged file to the folder ``place``, under a name of its own; the new path.

        Raises:
            OutputError: the folder is read-only, ….
        """
        moved = f"{place}/{PurePosixPath(path).name}-{os.urandom(4).hex()}"
        with translate_write_errors(f"{self.uri}: {path}"):
            if self._remote is not None:
                self._remote.move(self.locate(path), self.locate(moved))
            else:
                Path(self.locate(moved)).parent.mkdir(parents=True, exist_ok=True)
                os.replace(self.locate(path), self.locate(moved))
        return moved

    def remove_stale_scratch(self) -> None:
        """Remove remains of killed writers: those of dead processes of this machine at once, others after a day."""
        if self._remote is not None:
            return
        for name in self._list(""):
            if PurePosixPath(name).name.startswith(TEMP_PREFIX) and is_abandoned(Path(self.locate(name))):
                self.remove(name)

    def free_bytes(self) -> int | None:
        """Free space in bytes; None for object stores."""
        return None if self._remote is not None else shutil.disk_usage(self._base).free

    def _list(self, path: str) -> list[str]:
        base = self.locate(path)
        if self._remote is None:
            found = []
            for folder, _folders, names in os.walk(base, onerror=self._refuse_unlisted if path else None):
                relative = os.path.relpath(folder, self._base).replace(os.sep, "/")
                found += [name if relative == "." else f"{relative}/{name}" for name in names]
            return sorted(found)
        selector = pafs.FileSelector(base, recursive=True, allow_not_found=True)
        prefix = f"{self._base.rstrip('/')}/"
        infos = self._remote.get_file_info(selector)
        return sorted(info.path.removeprefix(prefix) for info in infos if info.type == pafs.FileType.File)

    def _refuse_unlisted(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise OutputError(
                f"{error.filename}: cannot be listed: {error.strerror}",
                hint="restore access to the folder and run the same command again; nothing was changed",
            ) from error

    def _publish(self, scratch: Path, path: str) -> None:
        with translate_write_errors(f"{self.uri}: {path}"):
            if self._remote is None:
                target = Path(self.locate(path))
                target.parent.mkdir(parents=True, exist_ok=True)
                sync(scratch)
                os.replace(scratch, target)
                sync(target.parent)
                return
            # Only a complete file: a writer of pyarrow publishes what it has when an exception closes it.
            with scratch.open("rb") as source, self._remote.open_output_stream(self.locate(path)) as stream:
                while chunk := source.read(_CHUNK_BYTES):
                    stream.write(chunk)


class Scratch(NamedTuple):
    """A local file on its way into a folder."""

    folder: Folder
    path: Path

    def publish(self, path: str) -> None:
        """Move it to ``path`` of its folder, atomically and synced to disk; an existing file is replaced.

        Raises:
            OutputError: the disk is full, the folder is read-only, …
        """
        self.folder._publish(self.path, path)  # the two are one unit in two names
