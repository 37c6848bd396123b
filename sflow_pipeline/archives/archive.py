"""Opened archive: list of its files, and a reader for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sflow_pipeline.untrusted.regular_file import check_bytes


class ArchiveError(OSError):
    """An archive, or a file in it, cannot be read; ``strerror`` says why and what to do."""


@dataclass(frozen=True)
class Archive:
    """An opened archive.

    Attributes:
        listing: folder in it ("" for the top) -> (names of folders, names of files), both sorted.
        marks: path of a file in it -> a number that changes with its content.
        sizes: path of a file in it -> bytes, for files whose size is known before they are read.
        fps: frames per second of a video.
        times_s: of a video's frames, counted from the first one.
        start_s: of a video's first frame.
        lost_frames: of a video: how many it states to hold beyond those that are there.
        changes_values: of a video: why its pixels are not those that were put in, "" where they are.
    """

    listing: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
    marks: Mapping[str, int]
    sizes: Mapping[str, int]
    _read: Callable[[str], bytes]
    fps: float | None = None
    changes_values: str = ""
    times_s: tuple[float, ...] = ()
    start_s: float = 0.0
    lost_frames: int = 0

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


def build_archive(
    marks: Mapping[str, int],
    sizes: Mapping[str, int],
    read: Callable[[str], bytes],
    *,
    fps: float | None = None,
    changes_values: str = "",
    times_s: tuple[float, ...] = (),
    start_s: float = 0.0,
    lost_frames: int = 0,
) -> Archive:
    """An archive of the files in ``marks``; names that are absolute or lead out of it are dropped."""
    folders: dict[str, set[str]] = {"": set()}
    files: dict[str, list[str]] = {}
    kept = {}
    for name, mark in marks.items():
        parts = name.split("/")
        if not all(parts) or ".." in parts or "." in parts:
            continue
        kept[name] = mark
        for depth in range(1, len(parts)):
            folders.setdefault("/".join(parts[: depth - 1]), set()).add(parts[depth - 1])
            folders.setdefault("/".join(parts[:depth]), set())
        files.setdefault("/".join(parts[:-1]), []).append(parts[-1])
    listing = {
        folder: (tuple(sorted(names)), tuple(sorted(set(files.get(folder, ())) - names)))
        for folder, names in folders.items()
    }
    return Archive(listing, kept, sizes, read, fps, changes_values, times_s, start_s, lost_frames)


def check_size(name: str, size_bytes: int) -> None:
    """Refuse files that would fill the memory.

    Raises:
        ArchiveError: it unpacks to more than the limit of this process.
    """
    try:
        check_bytes(name, size_bytes)
    except OSError as error:
        raise ArchiveError(0, f"{name} {error.strerror}") from error
