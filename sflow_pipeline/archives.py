"""Zip, tar and HDF5 files read as if they were folders, so that a dump needs no unpacking."""

import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Endings of files that are read as folders.
ARCHIVE_SUFFIXES = (".zip", ".tar", ".hdf5", ".h5")
#: A single file in an archive may not unpack to more than this.
MAX_MEMBER_BYTES = 2 << 30
_PNG_SAMPLES = {(2, "|u1"): (8, 0), (3, "|u1"): (8, 2), (2, "<u2"): (16, 0)}


class ArchiveError(OSError):
    """An archive, or a file in it, cannot be read; ``strerror`` says why and what to do."""


@dataclass(frozen=True)
class Archive:
    """An opened archive.

    Attributes:
        listing: folder in it ("" for the top) -> (names of folders, names of files), both sorted.
        marks: path of a file in it -> a number that changes with its content.
        sizes: path of a file in it -> bytes, for files whose size is known before they are read.
    """

    listing: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
    marks: Mapping[str, int]
    sizes: Mapping[str, int]
    _read: Callable[[str], bytes]

    def read(self, member: str) -> bytes:
        """One file.

        Raises:
            FileNotFoundError: the archive has no such file.
            ArchiveError: it is damaged, encrypted or too large.
        """
        if member not in self.marks:
            raise FileNotFoundError(2, "not in the archive", member)
        return self._read(member)

    def find_size(self, member: str) -> int:
        """How many bytes a file has; reads it where nothing else tells."""
        return self.sizes[member] if member in self.sizes else len(self.read(member))


def is_archive_name(name: str) -> bool:
    """Whether a file of this name is read as a folder.

    >>> is_archive_name("front/img.zip"), is_archive_name("0001.png")
    (True, False)
    """
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def split_archive(path: str) -> tuple[str, str] | None:
    """Cut a local path at the archive it leads into: (archive, path in it); None for an ordinary path.

    >>> split_archive("/data/0001.png") is None
    True
    """
    lowered = path.lower()
    if not any(suffix in lowered for suffix in ARCHIVE_SUFFIXES):
        return None
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        if is_archive_name(parts[end - 1]):
            archive = "/".join(parts[:end])
            if os.path.isfile(archive):
                return archive, "/".join(part for part in parts[end:] if part)
    return None


def open_archive(path: str) -> Archive:
    """Read an archive's table of contents; the last few archives stay open.

    Raises:
        ArchiveError: it is damaged, or h5py is needed and not installed.
        OSError: as the filesystem says.
    """
    facts = os.stat(path)
    return _open(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=64)
def _open(path: str, _size_bytes: int, mtime_ns: int) -> Archive:  # both: a rewritten archive is opened anew
    lowered = path.lower()
    if lowered.endswith(".zip"):
        return _open_zip(path)
    if lowered.endswith(".tar"):
        return _open_tar(path)
    return _open_hdf5(path, mtime_ns)


def _open_zip(path: str) -> Archive:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ArchiveError(0, f"not a whole zip file ({error}); copy it again") from error
    members = {info.filename: info for info in archive.infolist() if not info.is_dir() and _is_plain(info)}

    def read(name: str) -> bytes:
        info = members[name]
        _check_size(name, info.file_size)
        try:
            return archive.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ArchiveError(0, f"{name} is damaged ({error}); copy the archive again") from error
        except (RuntimeError, NotImplementedError) as error:
            raise ArchiveError(0, f"{name} is encrypted or packed in an unknown way; unpack the archive") from error

    sizes = {name: info.file_size for name, info in members.items()}
    return _build({name: info.CRC for name, info in members.items()}, sizes, read)


def _open_tar(path: str) -> Archive:
    try:
        with tarfile.open(path, "r:") as archive:
            members = {info.name.removeprefix("./"): info for info in archive if info.isreg() and not info.issparse()}
    except tarfile.TarError as error:
        raise ArchiveError(0, f"not a whole tar file ({error}); copy it again") from error

    def read(name: str) -> bytes:
        info = members[name]
        _check_size(name, info.size)
        with open(path, "rb") as file:
            file.seek(info.offset_data)
            data = file.read(info.size)
        if len(data) != info.size:
            raise ArchiveError(0, f"{name} is cut short; copy the archive again")
        return data

    sizes = {name: info.size for name, info in members.items()}
    return _build({name: int(info.mtime * 1e9) for name, info in members.items()}, sizes, read)


def _open_hdf5(path: str, mtime_ns: int) -> Archive:
    """Datasets that hold an encoded file keep their names; pixel arrays become PNG, other arrays NPY, text JSON."""
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ArchiveError(0, "HDF5 needs h5py: pip install 'sflow-pipeline[hdf5]'") from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ArchiveError(0, f"not a whole HDF5 file ({error}); copy it again") from error
    members: dict[str, str] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            members[name + _hdf5_suffix(name, item)] = name

    file.visititems(visit)

    def read(name: str) -> bytes:
        dataset = file[members[name]]
        _check_size(name, dataset.size * dataset.dtype.itemsize)
        try:
            value = dataset[()]
        except OSError as error:
            raise ArchiveError(0, f"{name} is damaged ({error}); copy the archive again") from error
        if isinstance(value, bytes | str):
            return value if isinstance(value, bytes) else value.encode()
        return _encode_array(np.asarray(value), name)

    return _build(dict.fromkeys(members, mtime_ns), {}, read)


def _hdf5_suffix(name: str, dataset: Any) -> str:
    if dataset.dtype.kind in "SO" and dataset.shape == ():
        return ".json"
    if dataset.ndim == 1 and dataset.dtype == np.uint8 and "." in name.rpartition("/")[2]:
        return ""  # an encoded file
    is_id_map = dataset.ndim == 2 and dataset.dtype.kind in "iu"
    is_picture = dataset.ndim == 3 and dataset.shape[2] == 3 and dataset.dtype == np.uint8
    return ".png" if is_id_map or is_picture else ".npy"


def _encode_array(array: NDArray[Any], name: str) -> bytes:
    if array.ndim == 1 and array.dtype == np.uint8 and not name.endswith(".npy"):
        return array.tobytes()
    if name.endswith(".png"):
        if array.ndim == 2 and array.dtype not in (np.uint8, np.uint16):
            if array.size and (int(array.min()) < 0 or int(array.max()) > 65535):
                raise ArchiveError(0, f"{name}: ids {array.min()} to {array.max()} do not fit 16 bits")
            array = array.astype("<u2")
        return _encode_png(array)
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _encode_png(array: NDArray[Any]) -> bytes:
    """A PNG of the same samples; always the same bytes."""
    bits, color_type = _PNG_SAMPLES[array.ndim, array.dtype.str]
    height, width = array.shape[:2]
    rows = np.ascontiguousarray(array.astype(array.dtype.newbyteorder(">"))).view(np.uint8).reshape(height, -1)
    filtered = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)),
        (b"IDAT", zlib.compress(filtered.tobytes(), 1)),
        (b"IEND", b""),
    )
    packed = (struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _build(marks: dict[str, int], sizes: dict[str, int], read: Callable[[str], bytes]) -> Archive:
    folders: dict[str, set[str]] = {"": set()}
    files: dict[str, list[str]] = {}
    kept = {}
    for name, mark in marks.items():
        parts = name.split("/")
        if not all(parts) or ".." in parts or "." in parts:
            continue  # absolute, or leading out
        kept[name] = mark
        for depth in range(1, len(parts)):
            folders.setdefault("/".join(parts[: depth - 1]), set()).add(parts[depth - 1])
            folders.setdefault("/".join(parts[:depth]), set())
        files.setdefault("/".join(parts[:-1]), []).append(parts[-1])
    listing = {
        folder: (tuple(sorted(names)), tuple(sorted(set(files.get(folder, ())) - names)))
        for folder, names in folders.items()
    }
    return Archive(listing, kept, sizes, read)


def _is_plain(info: zipfile.ZipInfo) -> bool:
    mode = info.external_attr >> 16
    return mode == 0 or stat.S_IFMT(mode) in (0, stat.S_IFREG)


def _check_size(name: str, size_bytes: int) -> None:
    if size_bytes > MAX_MEMBER_BYTES:
        raise ArchiveError(0, f"{name} unpacks to {size_bytes} bytes, more than {MAX_MEMBER_BYTES}; unpack the archive")
