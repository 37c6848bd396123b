"""Index of a dump: its frames in order, with the identities of their files."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, overload

import pyarrow as pa
import pyarrow.compute as pc

from sflow_pipeline.columns import MODALITIES
from sflow_pipeline.errors import DumpError
from sflow_pipeline.frames import FRAME_ORDER, Column, FrameRef, get_column, is_distinct, read_rows, sort_rows
from sflow_pipeline.storage.filesystem import Folder

_IO_THREADS = 8
#: Files that are looked up at once.
_LOOKED_UP = 16384
#: Columns of an index, in the order of ``FrameRef``; that of a dump without pictures has no ``render``.
_FIELDS = ("sample_id", "sequence_id", "frame_index", "split", "render", "label", "timestamp_s")
#: Frames that a walk over an index has in memory.
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """A frame and, by modality, the identity of its files: ``<size>:<mtime_ns>``, or ``sha256:<hex>``."""

    ref: FrameRef
    identities: dict[str, str]


class SourceFrames(Sequence[SourceFrame]):
    """Consecutive frames of an index, as rows of it: they are made when they are read, a few at a time.

    Args:
        index: see ``build_index``.
        start, stop: which rows; all by default.
    """

    __slots__ = ("_index", "_rows")

    def __init__(self, index: pa.Table, start: int = 0, stop: int | None = None) -> None:
        self._index = index
        self._rows = range(start, index.num_rows if stop is None else stop)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, item: int) -> SourceFrame: ...
    @overload
    def __getitem__(self, item: slice) -> "SourceFrames": ...
    def __getitem__(self, item: int | slice) -> "SourceFrame | SourceFrames":
        rows = self._rows[item]
        if isinstance(rows, int):
            return read_frames(self._index.slice(rows, 1))[0]
        if rows.step != 1:
            raise ValueError(f"slice {item}: frames of an index are consecutive")
        return SourceFrames(self._index, rows.start, rows.stop)

    def __iter__(self) -> Iterator[SourceFrame]:
        for start in self._rows[::_AT_ONCE]:
            yield from read_frames(self._index.slice(start, min(_AT_ONCE, self._rows.stop - start)))

    def __reduce__(self) -> tuple[Callable[[bytes], "SourceFrames"], tuple[bytes]]:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self._index.schema) as stream:  # a pickled slice would carry the whole index
            stream.write_table(self._index.slice(self._rows.start, len(self)))
        return _restore_frames, (sink.getvalue().to_pybytes(),)

    def read_table(self) -> pa.Table:
        """The rows of these frames."""
        return self._index.slice(self._rows.start, len(self))

    def read_column(self, name: str) -> list[Any]:
        """One column of the index for these frames; None for each where the index lacks it."""
        if name not in self._index.column_names:
            return [None] * len(self)
        return read_rows(self._index[name], self._rows)


def _restore_frames(data: bytes) -> SourceFrames:
    return SourceFrames(pa.ipc.open_stream(data).read_all())


def build_index(
    frames: Sequence[FrameRef],
    source: Folder,
    modalities: Sequence[str],
    *,
    content_hash: bool = False,
    split: str | None = None,
) -> pa.Table:
    """Build the index: identities of all files to be read, sorted by split, sequence, frame index and sample id.

    Args:
        frames: of the dump.
        source: the dump's folder.
        modalities: the files to be read; others do not invalidate shards.
        content_hash: identify files by content, not by size and time.
        split: split of every frame; the dump's own by default.

    Returns:
        A table with the identities and timestamp of a frame, and ``<modality>`` and ``<modality>_identity`` columns
        (null where a frame lacks it).

    Raises:
        DumpError: two frames have the same sample id.
    """
    columns = {name: get_column(frames, name) for name in FRAME_ORDER}
    if split is not None:
        columns["split"] = pa.chunked_array([pa.repeat(pa.scalar(split, pa.string()), len(frames))])
    _check_unique(columns["sample_id"])
    order = sort_rows(columns)
    for name in ("timestamp_s", *modalities):
        columns[name] = get_column(frames, name)
    index = pa.table(columns) if order is None else pa.table(columns).take(order)
    for modality in modalities:
        identities = _identify(source, index[modality], content_hash)
        index = index.append_column(f"{modality}_identity", identities)
    return index


def read_frames(index: pa.Table) -> list[SourceFrame]:
    """The frames of (a slice of) an index."""
    columns: dict[str, list[Any]] = {name: index[name].to_pylist() for name in index.column_names}
    modalities = [name for name in MODALITIES if name in columns]
    carried = [name for name in modalities if name not in ("render", "label")]
    columns.setdefault("render", [""] * index.num_rows)
    frames = []
    by_row: Iterator[tuple[Any, ...]] = zip(*(columns[name] for name in _FIELDS), strict=True)
    for row, (sample_id, sequence_id, frame_index, split, render, label, timestamp_s) in enumerate(by_row):
        files = {name: path for name in carried if (path := columns[name][row]) is not None}
        identities = {name: columns[f"{name}_identity"][row] for name in modalities if columns[name][row] is not None}
        ref = FrameRef(sample_id, sequence_id, frame_index, split, render, label, files, timestamp_s)
        frames.append(SourceFrame(ref, identities))
    return frames


def _identify(source: Folder, paths: Column, content_hash: bool) -> Column:
    """Identity of each file; a file of several frames is looked up once."""
    if is_distinct(paths) and not paths.null_count:
        return _look_up(source, paths, content_hash)
    distinct: Any = paths.unique().drop_null()
    return _look_up(source, pa.chunked_array([distinct]), content_hash).take(pc.index_in(paths, value_set=distinct))


def _look_up(source: Folder, paths: Column, content_hash: bool) -> Column:
    found = []
    for start in range(0, len(paths), _LOOKED_UP):
        listed = read_rows(paths, range(start, start + _LOOKED_UP))
        if content_hash:
            with ThreadPoolExecutor(_IO_THREADS) as pool:
                identities = list(pool.map(lambda path: _hash(source, path), listed))
        else:
            identities = source.identify(listed)
        found.append(pa.array(identities, pa.string()))
    return pa.chunked_array(found, pa.string())


def _hash(source: Folder, path: str) -> str:
    try:
        return f"sha256:{hashlib.sha256(source.read_bytes(path)).hexdigest()}"
    except OSError:
        return "missing"  # the frame is quarantined when it is read


def _check_unique(sample_ids: Column) -> None:
    if is_distinct(sample_ids):
        return
    counts = sample_ids.value_counts()
    twice = [str(found["values"]) for found in counts if found["counts"].as_py() > 1]
    raise DumpError(
        f"{len(twice)} sample ids occur more than once: {', '.join(twice[:3])}",
        hint="give every frame a name of its own within its sequence",
    )
