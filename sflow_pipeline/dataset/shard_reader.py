"""Random access to the rows of one shard, in a Parquet file here or far away, or in a PNG tree."""

import mmap
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from sflow_pipeline.columns import IDENTITY_COLUMNS, SCORE_COLUMNS
from sflow_pipeline.dataset.value_places import Place, find_places
from sflow_pipeline.schema import IMAGE_TYPE
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.png_tree import parse_line

#: Read with every row, whatever is asked for.
FACT_COLUMNS = (*IDENTITY_COLUMNS, "source_uri", *SCORE_COLUMNS)


class ShardReader(Protocol):
    """Reads rows of a shard by their position in it."""

    def read(self, index: int) -> dict[str, Any]:
        """The values of one row, files as ``{bytes, path}``; the bytes may be a view into the shard.

        Raises:
            OSError, pyarrow.ArrowInvalid: the shard is gone or damaged.
        """

    def read_values(self, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Some values of every row; columns hold no files, and those that the shard lacks are left out."""

    def close(self) -> None:
        """Give its file back."""


def open_shard(folder: Folder, path: str, columns: Sequence[str]) -> ShardReader:
    """A reader of a shard of either format that reads ``columns`` and the facts of each row, nothing else."""
    if path.endswith(".jsonl"):
        return TreeShardReader(folder, path, columns)
    if folder.is_local:
        return MappedShardReader(folder, path, columns)
    return ParquetShardReader(folder, path, columns)


class ParquetShardReader:
    """A Parquet shard, row group by row group; the last one is kept for neighbours. For object stores, where requests
    are what costs.
    """

    def __init__(self, folder: Folder, path: str, columns: Sequence[str]) -> None:
        self._source = folder.open_input(path)
        self._file = pq.ParquetFile(self._source, pre_buffer=True)
        self._starts = _list_starts(self._file.metadata)
        self._group = _Group(self._file, [*FACT_COLUMNS, *columns])

    def read(self, index: int) -> dict[str, Any]:
        """See ``ShardReader.read``."""
        group = bisect_right(self._starts, index) - 1
        return self._group.read(group, index - self._starts[group])

    def read_values(self, columns: Sequence[str]) -> list[dict[str, Any]]:
        """See ``ShardReader.read_values``."""
        return _read_values(self._file, columns)

    def close(self) -> None:
        """See ``ShardReader.close``."""
        self._file.close()
        self._source.close()


class MappedShardReader:
    """A local Parquet shard in mapped memory. Facts of all rows are read at once; pictures are read alone, once their
    row group was looked through for where they are.
    """

    def __init__(self, folder: Folder, path: str, columns: Sequence[str]) -> None:
        with open(folder.locate(path), "rb") as stream:
            self._mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._view = memoryview(self._mapped)  # slices of it copy nothing
        self._file = pq.ParquetFile(pa.BufferReader(self._mapped))
        self._starts = _list_starts(self._file.metadata)
        schema = self._file.schema_arrow
        self._pictures = [name for name in columns if schema.field(name).type == IMAGE_TYPE]
        facts = [*FACT_COLUMNS, *(f"{name}.path" for name in self._pictures)]
        self._facts = self._file.read(columns=facts, use_threads=False).to_pylist()
        self._texts = _Group(self._file, [name for name in columns if name not in self._pictures])
        self._files = _Group(self._file, [f"{name}.bytes" for name in self._pictures])
        self._places: dict[int, dict[str, list[Place]] | None] = {}

    def read(self, index: int) -> dict[str, Any]:
        """See ``ShardReader.read``."""
        group = bisect_right(self._starts, index) - 1
        offset = index - self._starts[group]
        facts = self._facts[index]
        if group not in self._places:
            table = self._files.load(group)
            self._places[group] = find_places(self._mapped, self._file.metadata, group, table, self._pictures)
        places = self._places[group]
        files = self._files.read(group, offset) if places is None else self._cut(places, offset)
        return {
            **facts,
            **self._texts.read(group, offset),
            **{name: value and {**facts[name], **value} for name, value in files.items()},
        }

    def read_values(self, columns: Sequence[str]) -> list[dict[str, Any]]:
        """See ``ShardReader.read_values``."""
        return _read_values(self._file, columns)

    def close(self) -> None:
        """See ``ShardReader.close``; the mapping goes with the last array that still looks at it."""
        self._file.close()

    def _cut(self, places: dict[str, list[Place]], offset: int) -> dict[str, Any]:
        found = {name: column[offset] for name, column in places.items()}
        return {name: place and {"bytes": self._view[place[0] : sum(place)]} for name, place in found.items()}


class _Group:
    """Some columns of the row group that was read last."""

    def __init__(self, file: pq.ParquetFile, columns: Sequence[str]) -> None:
        self._file = file
        self._columns = list(columns)
        self._number = -1
        self._table = pa.table({})

    def load(self, number: int) -> pa.Table:
        """A row group."""
        if number != self._number and self._columns:
            # One thread: loaders already run a process per core, and threads do not survive a fork.
            self._table = self._file.read_row_group(number, columns=self._columns, use_threads=False)
            self._number = number
        return self._table

    def read(self, number: int, offset: int) -> dict[str, Any]:
        """One row of a row group."""
        table = self.load(number)
        return {name: column[offset].as_py() for name, column in zip(table.column_names, table.columns, strict=True)}


def _list_starts(metadata: pq.FileMetaData) -> list[int]:
    """The first row of each row group, and the end."""
    return [0, *accumulate(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))]


def _read_values(file: pq.ParquetFile, columns: Sequence[str]) -> list[dict[str, Any]]:
    present = [name for name in columns if name in file.schema_arrow.names]
    rows: list[dict[str, Any]] = file.read(columns=present, use_threads=False).to_pylist()
    return rows


class TreeShardReader:
    """A shard of a PNG tree: its list of rows in memory, its files where they are."""

    def __init__(self, folder: Folder, path: str, columns: Sequence[str]) -> None:
        self._folder = folder
        self._lines = folder.read_bytes(path).split(b"\n")[:-1]
        self._columns = frozenset(columns)

    def read(self, index: int) -> dict[str, Any]:
        """See ``ShardReader.read``."""
        values = parse_line(self._lines[index])
        for name in self._columns:
            value = values.get(name)
            if isinstance(value, dict):
                value["bytes"] = self._folder.read_bytes(value["path"])
        return values

    def read_values(self, columns: Sequence[str]) -> list[dict[str, Any]]:
        """See ``ShardReader.read_values``."""
        rows = (parse_line(line) for line in self._lines)
        return [{name: row[name] for name in columns if name in row} for row in rows]

    def close(self) -> None:
        """See ``ShardReader.close``."""
