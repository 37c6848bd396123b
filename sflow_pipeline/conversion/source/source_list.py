"""Source files of the last finished run with their identities, so that the next one can name what changed."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sflow_pipeline.columns import MODALITIES
from sflow_pipeline.frames import Column
from sflow_pipeline.storage.commits import STATE_PATH
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.write_errors import translate_write_errors

SOURCES_PATH = f"{STATE_PATH}/sources.parquet"
_AT_ONCE = 65536
_SCHEMA = pa.schema([("path", pa.string()), ("identity", pa.string())])


@dataclass(frozen=True)
class SourceChanges:
    """Source files that differ from those of the last finished run, by path in the dump.

    Attributes:
        new, changed, gone: paths, sorted; ``gone`` are those that the job no longer reads.
        unchanged: how many files are as they were.
    """

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    unchanged: int = 0


def write_source_list(out: Folder, index: pa.Table) -> None:
    """Write the files of an index (see ``build_index``); the same files give the same bytes."""
    with out.scratch(SOURCES_PATH) as scratch, translate_write_errors(f"{out.uri}: {SOURCES_PATH}"):
        with pq.ParquetWriter(scratch.path, _SCHEMA, compression="zstd", use_dictionary=False) as writer:
            for part in _list_sources(index):
                writer.write_table(part)
        scratch.publish(SOURCES_PATH)


def compare_sources(out: Folder, index: pa.Table) -> SourceChanges | None:
    """Compare an index's files with those of the last finished run; None where there is no list that can be read."""
    try:
        with out.open_input(SOURCES_PATH) as stream:
            before = _RecordedFiles(pq.ParquetFile(stream))
            return _compare(before, index)
    except (OSError, ValueError, pa.ArrowException):
        return None


def _compare(before: "_RecordedFiles", index: pa.Table) -> SourceChanges:
    new: list[str] = []
    changed: list[str] = []
    gone: list[str] = []
    unchanged = 0
    for now in _list_sources(index):  # both are sorted, so that parts of both are compared
        known = before.take_until(str(now["path"][-1]))
        place = pc.index_in(now["path"], value_set=known["path"])
        same = now.filter(pc.is_valid(place))
        is_same = pc.equal(same["identity"], known["identity"].take(place.drop_null()))
        new += _list_paths(now, pc.is_null(place))
        others = _list_paths(same, pc.invert(is_same))
        changed += others
        gone += _list_paths(known, pc.invert(pc.is_in(known["path"], value_set=now["path"])))
        unchanged += same.num_rows - len(others)
    gone += before.list_rest()
    return SourceChanges(tuple(new), tuple(changed), tuple(gone), unchanged)


class _RecordedFiles:
    """Files of a list, read in the order of their paths as they are taken.

    Raises:
        ValueError: it is the list of something else.
    """

    def __init__(self, file: pq.ParquetFile) -> None:
        if file.schema_arrow.remove_metadata() != _SCHEMA:
            raise ValueError("not a list of source files")
        self._batches = file.iter_batches(_AT_ONCE)
        self._read = _SCHEMA.empty_table()

    def take_until(self, path: str) -> pa.Table:
        """The next files, up to this path and with it."""
        taken = []
        while True:
            stop = bisect_right(self._read["path"], path, key=str)
            taken.append(self._read.slice(0, stop))
            self._read = self._read.slice(stop)
            if self._read.num_rows or (batch := next(self._batches, None)) is None:
                return pa.concat_tables(taken)
            self._read = pa.Table.from_batches([batch])

    def list_rest(self) -> list[str]:
        """The paths of all further files."""
        parts = [self._read, *(pa.Table.from_batches([batch]) for batch in self._batches)]
        return [str(path) for part in parts for path in part["path"]]


class _FilesOfModality:
    """Files of one modality, taken in the order of their paths; the columns themselves are not copied."""

    def __init__(self, paths: Column, identities: Column) -> None:
        self._paths = paths
        self._identities = identities
        self._rows: Any = pc.sort_indices(paths).slice(0, len(paths) - paths.null_count)
        self._start = 0

    @property
    def left(self) -> int:
        return len(self._rows) - self._start

    def look_ahead(self, files: int) -> str:
        """The path after which so many files are taken, or all."""
        return self._read(self._start + min(files, self.left) - 1)

    def take_until(self, path: str) -> pa.Table:
        """The next files, up to this path and with it."""
        stop = bisect_right(range(len(self._rows)), path, self._start, key=self._read)
        rows = self._rows.slice(self._start, stop - self._start)
        self._start = stop
        return pa.table({"path": self._paths.take(rows), "identity": self._identities.take(rows)}).cast(_SCHEMA)

    def _read(self, place: int) -> str:
        return str(self._paths[self._rows[place].as_py()])


def _list_sources(index: pa.Table) -> Iterator[pa.Table]:
    """Every file once, sorted by path, in parts."""
    names = [name for name in MODALITIES if name in index.column_names]
    modalities = [_FilesOfModality(index[name], index[f"{name}_identity"]) for name in names]
    while (largest := max(modalities, key=lambda files: files.left, default=None)) and largest.left:
        last = largest.look_ahead(max(1, _AT_ONCE // len(modalities)))
        part = pa.concat_tables([files.take_until(last) for files in modalities])
        part = part.take(pc.sort_indices(part["path"])).combine_chunks()
        paths = part["path"].combine_chunks()
        is_first = pc.not_equal(paths.slice(1), paths.slice(0, len(paths) - 1))
        yield part.filter(pa.concat_arrays([pa.array([True]), is_first]))


def _list_paths(table: pa.Table, mask: Any) -> list[str]:
    paths: list[Any] = table.filter(mask)["path"].to_pylist()
    return paths
