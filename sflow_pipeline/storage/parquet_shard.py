"""A shard as one Parquet file: row groups small enough for random access, image bytes as they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sflow_pipeline.errors import OutputError
from sflow_pipeline.schema import check_row, list_picture_columns
from sflow_pipeline.storage.filesystem import Folder

#: About 16 rows at 512x256: a random row costs half a millisecond, overhead is 0.05 %.
ROW_GROUP_BYTES = 3 << 20
#: Strings that repeat from row to row; everything else is cheaper without a dictionary.
_DICTIONARY_COLUMNS = ("sequence_id", "split", "bundle_digest", "reason", "hint")


class ParquetShardWriter:
    """Writes rows to a local file; the same rows give the same bytes.

    Args:
        path: a local scratch file.
        schema: of the rows.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._rows: list[dict[str, Any]] = []
        self._pending_bytes = 0
        self._row_count = 0
        pictures = list_picture_columns(schema)
        plain = [f"{name}.bytes" for name in pictures]
        leaves = [leaf for field in schema for leaf in _list_leaves(field)]
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression={leaf: "none" if leaf in plain else "zstd" for leaf in leaves},
            use_dictionary=[name for name in _DICTIONARY_COLUMNS if name in schema.names],  # type: ignore[arg-type]
            # Least and greatest image bytes help nobody and would be copied into the footer.
            write_statistics=[leaf for leaf in leaves if leaf not in plain],
            write_page_index=True,
        )

    def add(self, row: dict[str, Any]) -> None:
        """Add one row; optional columns that it lacks are null.

        Raises:
            SflowError: a key is not in the schema, or a required column has no value.
        """
        check_row(row, self._schema)
        self._rows.append(row)
        self._pending_bytes += sum(_count_bytes(value) for value in row.values())
        if self._pending_bytes >= ROW_GROUP_BYTES:
            self._flush()

    def close(self) -> int:
        """Finish the file, read its footer back, and return the number of rows.

        Raises:
            OutputError: what is on disk is not what was written.
        """
        self._flush()
        self._writer.close()
        metadata = pq.read_metadata(self._path)
        if metadata.num_rows != self._row_count:
            raise OutputError(
                f"{self._path}: {metadata.num_rows} rows on disk, {self._row_count} were written",
                hint="check the disk, then run the same command again",
            )
        return self._row_count

    def abort(self) -> None:
        """Close the file handle of a shard that will not be published."""
        if self._writer.is_open:
            self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._row_count += len(self._rows)
        self._rows, self._pending_bytes = [], 0


def read_rows(folder: Folder, path: str, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Stream a shard's rows, one row group in memory at a time."""
    with folder.open_input(path) as source, pq.ParquetFile(source) as shard:
        for group in range(shard.num_row_groups):
            yield from shard.read_row_group(group, columns=columns).to_pylist()


def count_rows(folder: Folder, path: str) -> int:
    """Rows of a shard by its footer.

    Raises:
        OSError, pa.ArrowInvalid: it is not there, or no whole Parquet file.
    """
    with folder.open_input(path) as source:
        return int(pq.read_metadata(source).num_rows)


def _list_leaves(field: "pa.Field[Any]") -> list[str]:
    if pa.types.is_struct(field.type):
        return [f"{field.name}.{child.name}" for child in field.type]
    if pa.types.is_fixed_size_list(field.type):
        return [f"{field.name}.list.element"]
    return [field.name]


def _count_bytes(value: object) -> int:
    if isinstance(value, dict):
        return sum(_count_bytes(part) for part in value.values())
    return len(value) if isinstance(value, bytes | str) else 8
