"""Random access to the rows of one shard: the row group around a Parquet row, the files of a PNG tree's row."""

import json
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from sflow_pipeline.schema import IMAGE_TYPE
from sflow_pipeline.storage.filesystem import Folder

#: In every row, whatever is asked for.
FACT_COLUMNS = (
    "sample_id",
    "sequence_id",
    "frame_index",
    "variant",
    "split",
    "source_uri",
    "fidelity_acc",
    "fidelity_miou",
    "edge_f1",
    "gate",
)


class ShardReader(Protocol):
    """Reads rows of a shard by their position in it."""

    def read(self, index: int) -> dict[str, Any]:
        """The values of one row, files as ``{bytes, path}``.

        Raises:
            OSError, pyarrow.ArrowInvalid: the shard is gone or damaged.
        """

    def read_variants(self) -> list[int]:
        """The variant of every row."""

    def close(self) -> None:
        """Give its file back."""


def open_shard(folder: Folder, path: str, columns: Sequence[str]) -> ShardReader:
    """A reader of a shard of either format that reads ``columns`` and the facts of each row, nothing else."""
    if path.endswith(".jsonl"):
        return TreeShardReader(folder, path, columns)
    return ParquetShardReader(folder, path, columns)


class ParquetShardReader:
    """A Parquet shard. Of a local one, facts are read at once and contents row group by row group; the last row group
    is kept for neighbours. Of a remote one, where requests are what costs, a row group is one request.
    """

    def __init__(self, folder: Folder, path: str, columns: Sequence[str]) -> None:
        self._source = pa.memory_map(folder.locate(path)) if folder.is_local else folder.open_input(path)
        # One thread: loaders already run a process per core, and threads do not survive a fork.
        self._file = pq.ParquetFile(self._source, pre_buffer=not folder.is_local)
        metadata = self._file.metadata
        self._starts = [0, *accumulate(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))]
        self._facts: list[dict[str, Any]] | None = None
        self._group_columns = [*FACT_COLUMNS, *columns]
        if folder.is_local:
            schema = self._file.schema_arrow
            files = [name for name in columns if schema.field(name).type == IMAGE_TYPE]
            facts = [*FACT_COLUMNS, *(f"{name}.path" for name in files)]
            self._facts = self._file.read(columns=facts, use_threads=False).to_pylist()
            self._group_columns = [f"{name}.bytes" if name in files else name for name in columns]
        self._group = -1
        self._table = pa.table({})

    def read(self, index: int) -> dict[str, Any]:
        """See ``ShardReader.read``."""
        group = bisect_right(self._starts, index) - 1
        if group != self._group and self._group_columns:
            self._table = self._file.read_row_group(group, columns=self._group_columns, use_threads=False)
            self._group = group
        offset = index - self._starts[group]
        values = {
            name: column[offset].as_py()
            for name, column in zip(self._table.column_names, self._table.columns, strict=True)
        }
        if self._facts is None:
            return values
        facts = self._facts[index]
        contents = {
            name: {**facts[name], **value} if isinstance(value, dict) else value for name, value in values.items()
        }
        return {**facts, **contents}

    def read_variants(self) -> list[int]:
        """See ``ShardReader.read_variants``."""
        table = self._file.read(columns=["variant"], use_threads=False)
        return [int(variant) for variant in table.column(0).to_numpy()]

    def close(self) -> None:
        """See ``ShardReader.close``."""
        self._file.close()
        self._source.close()


class TreeShardReader:
    """A shard of a PNG tree: its list of rows in memory, its files where they are."""

    def __init__(self, folder: Folder, path: str, columns: Sequence[str]) -> None:
        self._folder = folder
        self._lines = folder.read_bytes(path).splitlines()
        self._columns = frozenset(columns)

    def read(self, index: int) -> dict[str, Any]:
        """See ``ShardReader.read``."""
        values: dict[str, Any] = json.loads(self._lines[index])
        for name in self._columns:
            value = values.get(name)
            if isinstance(value, dict):
                value["bytes"] = self._folder.read_bytes(value["path"])
        return values

    def read_variants(self) -> list[int]:
        """See ``ShardReader.read_variants``."""
        return [json.loads(line)["variant"] for line in self._lines]

    def close(self) -> None:
        """See ``ShardReader.close``."""
