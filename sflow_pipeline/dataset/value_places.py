"""Byte ranges of pictures in a mapped Parquet file, so that one can be read without its row group."""

import mmap
import struct
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

#: (position, length) in bytes; None where the row has no value.
Place = tuple[int, int] | None
_PREFIX_BYTES = 32


def find_places(
    mapped: mmap.mmap, metadata: pq.FileMetaData, group: int, table: pa.Table, columns: Sequence[str]
) -> dict[str, list[Place]] | None:
    """Find the bytes of a row group's pictures in the file itself.

    Arrow says nothing of where values lie within a page, but stored uncompressed each stands there as its length and
    its bytes. Every place is compared with the value, so it is either right or not found.

    Args:
        mapped: the file.
        metadata: its footer.
        group: the row group.
        table: that row group as Arrow read it.
        columns: struct columns with a field ``bytes``.

    Returns:
        column -> a place for each row of the group; None where some value is not there as it is (compressed shards).
    """
    chunks = [metadata.row_group(group).column(i) for i in range(metadata.num_columns)]
    chunk_of = {chunk.path_in_schema: chunk for chunk in chunks}
    places: dict[str, list[Place]] = {}
    for column in columns:
        chunk = chunk_of[f"{column}.bytes"]
        position, end = chunk.data_page_offset, chunk.data_page_offset + chunk.total_compressed_size
        found: list[Place] = []
        for scalar in table.column(column):
            if not scalar.is_valid:
                found.append(None)
                continue
            value = memoryview(scalar["bytes"].as_buffer()).cast("B")  # signed bytes never equal unsigned ones
            start = _find_value(mapped, value, position, end)
            if start is None:
                return None
            found.append((start, len(value)))
            position = start + len(value)
        places[column] = found
    return places


def _find_value(mapped: mmap.mmap, value: memoryview, position: int, end: int) -> int | None:
    needle = struct.pack("<I", len(value)) + bytes(value[:_PREFIX_BYTES])
    while (found := mapped.find(needle, position, end)) >= 0:
        start = found + 4
        if mapped[start : start + len(value)] == value:
            return start
        position = start
    return None
