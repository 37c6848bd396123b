"""Rows of a dataset by position, over all shards, not decoded; without torch."""

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from sflow_pipeline.dataset.contents import Contents, translate_read_errors
from sflow_pipeline.dataset.row_filter import RowFilter
from sflow_pipeline.dataset.shard_reader import ShardReader, open_shard

_MAX_OPEN_SHARDS = 64


class RowReader:
    """Values of rows, in the order of split, sequence, frame, variant; each process opens the files that it reads.

    Args:
        contents: the dataset.
        splits: which; all where None.
        columns: which contents are read beside the facts of a row.
        variants: which variants of each frame; all where None.
        row_filter: conditions on values of the row; every row where None.

    Attributes:
        positions: in each shard; a range where every row counts.
    """

    def __init__(
        self,
        contents: Contents,
        splits: Sequence[str] | None,
        columns: tuple[str, ...],
        variants: Sequence[int] | None = None,
        row_filter: RowFilter | None = None,
    ) -> None:
        self._contents = contents
        self._columns = columns
        self._shards = contents.select_shards(splits)
        self._readers: OrderedDict[str, ShardReader] = OrderedDict()
        self._process = os.getpid()
        self.positions: list[Sequence[int]] = [range(shard.rows) for shard in self._shards]
        if variants is not None or row_filter is not None:
            wanted = None if variants is None else frozenset(variants)
            self.positions = [self._select(str(shard.path), wanted, row_filter) for shard in self._shards]
        self._ends = list(accumulate(len(rows) for rows in self.positions))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def read_values(self, index: int) -> dict[str, Any]:
        """A row's values: files as ``{bytes, path}``, their bytes possibly a view into the mapped shard.

        Raises:
            IndexError: ``index`` is not below the length.
            OutputError: the row's shard is gone or damaged.
        """
        length = len(self)
        if not -length <= index < length:
            raise IndexError(f"row {index} of {length}")
        index %= length
        shard = bisect_right(self._ends, index)
        position = self.positions[shard][index - (self._ends[shard - 1] if shard else 0)]
        path = str(self._shards[shard].path)
        with translate_read_errors(f"{self._contents.folder.uri}: {path}"):
            return self._open(path).read(position)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_readers": OrderedDict()}

    def _select(self, path: str, variants: frozenset[int] | None, row_filter: RowFilter | None) -> list[int]:
        """Positions of the chosen rows of a shard."""
        columns = ["variant", *(row_filter.columns if row_filter else ())]
        with translate_read_errors(f"{self._contents.folder.uri}: {path}"):
            rows = self._open(path).read_values(list(dict.fromkeys(columns)))
        return [
            i
            for i, values in enumerate(rows)
            if (variants is None or values["variant"] in variants)
            and (row_filter is None or row_filter.accepts(values))
        ]

    def _open(self, path: str) -> ShardReader:
        if self._process != os.getpid():  # forked: a handle shared with the parent would share its position, too
            self._readers, self._process = OrderedDict(), os.getpid()
        reader = self._readers.pop(path, None)
        if reader is None:
            if len(self._readers) >= _MAX_OPEN_SHARDS:
                self._readers.popitem(last=False)[1].close()
            reader = open_shard(self._contents.folder, path, self._contents.add_needed(self._columns))
        self._readers[path] = reader
        return reader
