"""Sizes of a dump's pictures, from their headers."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from sflow_pipeline.errors import FrameError
from sflow_pipeline.frames import FrameRef, has_column, iterate_sequences
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_header import read_size_px

#: Where no picture of a sequence can be read.
_UNKNOWN_SIZE_PX = (1024, 512)


def read_sizes(frames: Sequence[FrameRef], source: Folder) -> dict[str, tuple[int, int]]:
    """Sequence -> (width, height) of its first picture that can be read."""
    sizes: dict[str, tuple[int, int] | None] = {}
    for sequence_id, paths in _iterate_pictures(frames):
        if sizes.get(sequence_id) is None:
            sizes[sequence_id] = next(_read(paths, source), None)
    return {sequence_id: size_px or _UNKNOWN_SIZE_PX for sequence_id, size_px in sizes.items()}


def has_another_size(frames: Sequence[FrameRef], source: Folder, size_px: tuple[int, int]) -> bool:
    """Whether some picture that can be read has another size than (width, height); reads until it finds one."""
    return any(found != size_px for _, paths in _iterate_pictures(frames) for found in _read(paths, source))


def _iterate_pictures(frames: Sequence[FrameRef]) -> Iterator[tuple[str, Iterator[str]]]:
    return iterate_sequences(frames, "render" if has_column(frames, "render") else "label")


def _read(paths: Iterable[str], source: Folder) -> Iterator[tuple[int, int]]:
    for path in paths:
        with contextlib.suppress(FrameError, OSError):
            yield read_size_px(source.read_bytes(path))
