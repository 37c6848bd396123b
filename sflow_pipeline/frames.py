"""Frames of a dump by name: identity and file paths of one (FrameRef) or many (FrameList)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise, repeat
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sflow_pipeline.columns import MODALITIES

#: What frames are sorted by.
FRAME_ORDER = ("split", "sequence_id", "frame_index", "sample_id")
#: One field of many frames.
if TYPE_CHECKING:
    Column: TypeAlias = pa.ChunkedArray[Any]
else:
    Column = pa.ChunkedArray
_CARRIED = frozenset(MODALITIES) - {"render", "label"}


@dataclass(frozen=True, slots=True)
class FrameRef:
    """Identity and file paths of one frame; no pixels.

    Paths are POSIX, relative to the dump's root, and never leave it.

    Attributes:
        sample_id: ``<sequence_id>/<frame name>``, unique within a dump, safe as a file name below an output folder.
        sequence_id, frame_index, split: place in the dump; ``frame_index`` orders the frames of a sequence, as the
            simulator numbers them.
        render, label: the simulator's picture, "" in a dump without pictures, and the class ids.
        files: further modality -> path, see ``MODALITIES``; each can be read as an attribute, too, None without a file.
        timestamp_s: the moment that the frame shows, in seconds, from one origin per sequence; None if unknown.

    >>> frame = FrameRef("a/7", "a", 7, "train", "a/rgb/7.png", "a/semantic/7.png", {"depth": "a/depth/7.npy"})
    >>> frame.depth, frame.flow
    ('a/depth/7.npy', None)
    """

    sample_id: str
    sequence_id: str
    frame_index: int
    split: str
    render: str
    label: str
    files: Mapping[str, str] = field(default_factory=dict, hash=False)
    timestamp_s: float | None = None

    def __getattr__(self, name: str) -> str | None:
        if name in _CARRIED:
            return self.files.get(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def source(self) -> str:
        """The file that its image is made from: the simulator's picture, or the label where there is none."""
        return self.render or self.label

    def with_files(self, **paths: str | None) -> "FrameRef":
        """The same frame with further files; None adds nothing."""
        return replace(self, files={**self.files, **{name: path for name, path in paths.items() if path}})


_FIELDS = tuple(item.name for item in fields(FrameRef) if item.name != "files")
_NUMBERS: Mapping[str, pa.DataType] = {"frame_index": pa.int64(), "timestamp_s": pa.float64()}
#: Rows that are made into Python's objects at once.
_AT_ONCE = 1024


class FrameList(Sequence[FrameRef]):
    """Many frames by name, kept as Arrow's columns: a fraction of the memory and time that as many ``FrameRef`` take.

    >>> frames = FrameList({"sample_id": ["a/0", "a/1"], "sequence_id": ["a", "a"], "frame_index": [0, 1],
    ...                     "split": ["train"] * 2, "render": ["a/0.png", "a/1.png"], "label": ["a/0", "a/1"]})
    >>> frames[1].render, len(frames[:1]), read_column(frames, "depth")
    ('a/1.png', 1, [None, None])
    """

    def __init__(self, columns: Mapping[str, Sequence[Any] | Column]) -> None:
        """``columns``: field or modality of ``FrameRef`` -> its value for every frame; absent if no frame has one."""
        self.columns = {name: _to_arrow(name, values) for name, values in columns.items()}
        self._length = len(columns["sample_id"]) if columns else 0

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> FrameRef: ...
    @overload
    def __getitem__(self, index: slice) -> "FrameList": ...
    def __getitem__(self, index: int | slice) -> "FrameRef | FrameList":
        rows = range(self._length)[index]
        if isinstance(rows, int):
            return next(self._read(rows, 1))
        if rows.step == 1:
            return FrameList({name: column.slice(rows.start, len(rows)) for name, column in self.columns.items()})
        chosen = pa.array(rows, pa.int64())
        return FrameList({name: column.take(chosen) for name, column in self.columns.items()})

    def __iter__(self) -> Iterator[FrameRef]:
        for start in range(0, self._length, _AT_ONCE):
            yield from self._read(start, _AT_ONCE)

    def _read(self, start: int, count: int) -> Iterator[FrameRef]:
        read = {name: read_rows(column, range(start, start + count)) for name, column in self.columns.items()}
        known = [name for name in read if name in _FIELDS]
        carried = [name for name in read if name in _CARRIED]
        for row in range(len(read["sample_id"])):
            files = {name: path for name in carried if (path := read[name][row])}
            yield FrameRef(**{"render": "", **{name: read[name][row] for name in known}}, files=files)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


def _to_arrow(name: str, values: Sequence[Any] | Column) -> Column:
    if isinstance(values, pa.ChunkedArray):
        return values
    array: Any = pa.array(values, _NUMBERS.get(name, pa.string()))
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def get_column(frames: Sequence[FrameRef], name: str) -> Column:
    """A field of every frame as an Arrow column; null where a frame lacks it."""
    if not isinstance(frames, FrameList):
        return _to_arrow(name, list(iterate_column(frames, name)))
    column = frames.columns.get(name)
    return _to_arrow(name, [None] * len(frames)) if column is None else column


def iterate_column(frames: Sequence[FrameRef], name: str) -> Iterator[Any]:
    """A field of one frame after the other; None where a frame lacks it."""
    if not isinstance(frames, FrameList):
        values = (getattr(frame, name) for frame in frames)
        return (value or None for value in values) if name == "render" else values
    return iterate_values(frames.columns[name]) if name in frames.columns else repeat(None, len(frames))


def iterate_values(column: Column) -> Iterator[Any]:
    """The values of a column, of which few are in memory as Python's objects at a time."""
    for start in range(0, len(column), _AT_ONCE):
        yield from read_rows(column, range(start, start + _AT_ONCE))


def read_rows(column: Column, rows: range) -> list[Any]:
    """The values of some rows that follow each other."""
    values: list[Any] = column.slice(rows.start, len(rows)).to_pylist()
    return values


def read_column(frames: Sequence[FrameRef], name: str) -> list[Any]:
    """A field of every frame; None where a frame lacks it."""
    return list(iterate_column(frames, name))


def has_column(frames: Sequence[FrameRef], name: str) -> bool:
    """Whether some frame has a field or modality.

    >>> has_column(FrameList({"sample_id": ["a/0"], "depth": [None], "flow": ["a/0.flo"]}), "depth")
    False
    """
    if isinstance(frames, FrameList):
        return name in frames.columns and frames.columns[name].null_count < len(frames)
    return any(value is not None for value in iterate_column(frames, name))


def with_column(frames: Sequence[FrameRef], name: str, values: Sequence[Any] | Column) -> FrameList:
    """The same frames with other values of one field or modality, one per frame.

    >>> frames = FrameList({"sample_id": ["a/0"], "sequence_id": ["a"], "frame_index": [0], "split": ["train"],
    ...                     "render": ["a/0.png"], "label": ["a/0"]})
    >>> with_column(frames, "timestamp_s", [0.5])[0].timestamp_s
    0.5
    """
    names = (*_FIELDS, *(modality for modality in MODALITIES if modality in _CARRIED))
    known = frames.columns if isinstance(frames, FrameList) else {field: get_column(frames, field) for field in names}
    return FrameList({**known, name: values} if len(frames) else {})


def concatenate_frames(parts: Sequence[FrameList]) -> FrameList:
    """Frames of several lists one after the other.

    >>> a = FrameList({"sample_id": ["a/0"], "depth": ["a/0.npy"]})
    >>> read_column(concatenate_frames([a, FrameList({"sample_id": ["b/0"]})]), "depth")
    ['a/0.npy', None]
    """
    tables = [pa.table(part.columns) for part in parts if len(part)]
    table = pa.concat_tables(tables, promote_options="default") if tables else None
    return FrameList({} if table is None else dict(zip(table.column_names, table.columns, strict=True)))


def sort_frames(frames: FrameList) -> FrameList:
    """Frames by split, sequence, frame index and sample id."""
    if not len(frames):
        return frames
    order = sort_rows({name: get_column(frames, name) for name in FRAME_ORDER})
    return frames if order is None else FrameList({name: c.take(order) for name, c in frames.columns.items()})


def sort_rows(columns: Mapping[str, Column]) -> "pa.Array[Any] | None":
    """The order of rows that sorts them by these columns, the first counting most; None where they are sorted.

    >>> sort_rows({"a": pa.chunked_array([["x", "y", "x"]]), "b": pa.chunked_array([[2, 1, 1]])}).to_pylist()
    [2, 0, 1]
    """
    is_later: Any = pa.scalar(False)
    is_equal: Any = pa.scalar(True)
    for column in columns.values():
        before, after = column.slice(0, max(0, len(column) - 1)), column.slice(1)
        is_later = pc.or_(is_later, pc.and_(is_equal, pc.greater(after, before)))
        is_equal = pc.and_(is_equal, pc.equal(after, before))
    if pc.all(pc.or_(is_later, is_equal), min_count=0).as_py():
        return None
    order: pa.Array[Any] = pc.sort_indices(pa.table(dict(columns)), sort_keys=[(name, "ascending") for name in columns])
    return order


def is_distinct(column: Column) -> bool:
    """Whether no value occurs twice; quick where they ascend. Nulls count as equal.

    >>> is_distinct(pa.chunked_array([["a", "b"], ["c"]])), is_distinct(pa.chunked_array([["b", "a", "b"]]))
    (True, False)
    """
    before, after = column.slice(0, max(0, len(column) - 1)), column.slice(1)
    if not column.null_count and pc.all(pc.less(before, after), min_count=0).as_py():
        return True
    return bool(pc.count_distinct(column, mode="all").as_py() == len(column))


def find_runs(*columns: Column) -> list[range]:
    """Rows that follow each other with the same values in all columns.

    >>> find_runs(pa.chunked_array([["a", "a", "b"], ["b", "a"]]))
    [range(0, 2), range(2, 4), range(4, 5)]
    """
    rows = len(columns[0])
    is_start = np.zeros(rows, bool)
    is_start[:1] = True
    for column in columns:
        is_start[1:] |= pc.not_equal(column.slice(1), column.slice(0, max(0, rows - 1))).to_numpy()
    starts = [*np.flatnonzero(is_start).tolist(), rows]
    return [range(start, stop) for start, stop in pairwise(starts)]


def iterate_sequences(frames: Sequence[FrameRef], name: str) -> Iterator[tuple[str, Iterator[Any]]]:
    """Id of a sequence and the values of a column in it, read as they are asked for.

    A sequence whose frames do not follow each other comes more than once.
    """
    ids, column = get_column(frames, "sequence_id"), get_column(frames, name)
    for rows in find_runs(ids):
        yield str(ids[rows.start]), iterate_values(column.slice(rows.start, len(rows)))
