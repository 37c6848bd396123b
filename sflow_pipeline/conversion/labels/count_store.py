"""Counts of labels from earlier runs, kept beside the dataset: a row per group of frames in one Parquet file."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sflow_pipeline.conversion.labels.counts import LabelCounts
from sflow_pipeline.conversion.source.source_index import SourceFrames
from sflow_pipeline.storage.commits import STATE_PATH
from sflow_pipeline.storage.filesystem import Folder

COUNTS_PATH = f"{STATE_PATH}/label_counts.parquet"
_KEY = b"label_files"  # "labels" of older versions, which did not look whether files are exact
_IDS = 65536
_SCHEMA = pa.schema(
    [
        ("group", pa.string()),
        ("ids", pa.list_(pa.int32())),
        ("pixels", pa.list_(pa.int64())),
        ("strange", pa.list_(pa.int32())),
        ("void", pa.list_(pa.float64())),
        ("inexact", pa.list_(pa.string())),
    ]
)


def name_group(frames: SourceFrames, pictures: Sequence[str]) -> str:
    """What the counts of a group are kept under: its labels and their tables, in this state.

    Args:
        frames: the group.
        pictures: further columns whose files are looked at.
    """
    digest = hashlib.sha256()
    modalities = dict.fromkeys(("label", "label_table", *pictures))
    for name in (column for modality in modalities for column in (modality, f"{modality}_identity")):
        digest.update("\n".join(value or "" for value in (name, *frames.read_column(name))).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def load_counts(folder: Folder, key: str, on_damaged: Callable[[str], None]) -> pa.Table:
    """The counts that are kept, see ``pack_counts``; no rows where none are kept for these labels.

    Args:
        folder: the dataset's.
        key: names the label space and how labels hold ids.
        on_damaged: gets the path where the file cannot be read.
    """
    try:
        data = folder.read_bytes(COUNTS_PATH)
        table = pq.read_table(pa.BufferReader(data), use_threads=False)
        if (table.schema.metadata or {}).get(_KEY) != key.encode():
            return _SCHEMA.empty_table()
        table = table.cast(_SCHEMA).replace_schema_metadata(None)
        _check(table)
    except FileNotFoundError:
        return _SCHEMA.empty_table()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
        on_damaged(COUNTS_PATH)
        return _SCHEMA.empty_table()
    return table


def save_counts(folder: Folder, key: str, table: pa.Table) -> None:
    """Keep the counts; the same counts give the same bytes."""
    table = table.combine_chunks().replace_schema_metadata({_KEY: key})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, write_statistics=False)
    folder.write_bytes(COUNTS_PATH, sink.getvalue().to_pybytes())


def pack_counts(names: Sequence[str], counts: Sequence[LabelCounts]) -> pa.Table:
    """Counts of groups as a table with a row for each."""
    columns = {
        "group": names,
        "ids": [list(found.pixels) for found in counts],
        "pixels": [list(found.pixels.values()) for found in counts],
        "strange": [found.strange for found in counts],
        "void": [found.void for found in counts],
        "inexact": [found.inexact for found in counts],
    }
    return pa.table(columns, schema=_SCHEMA)


def unpack_counts(table: pa.Table, row: int) -> LabelCounts:
    """The counts of one group."""
    found: dict[str, Any] = table.slice(row, 1).to_pylist()[0]
    pixels = dict(zip(found["ids"], found["pixels"], strict=True))
    void = np.array(found["void"], np.float64)
    return LabelCounts(pixels, tuple(found["strange"]), void, tuple(found["inexact"]))


def _check(table: pa.Table) -> None:
    """Refuse numbers that are none of pixels.

    Raises:
        ValueError: there are some.
    """
    columns: dict[str, Any] = {name: table[name].combine_chunks() for name in ("ids", "pixels", "strange", "void")}
    ids, pixels, strange, void = (column.flatten() for column in columns.values())
    inexact: Any = table["inexact"].combine_chunks()
    if any(
        values.null_count
        for values in (table["group"], inexact, inexact.flatten(), *columns.values(), ids, pixels, strange, void)
    ):
        raise ValueError("counts of nothing")
    lengths = {name: column.value_lengths().to_numpy() for name, column in columns.items()}
    frames = np.repeat(lengths["void"], lengths["strange"])
    is_wrong = [np.any((ids.to_numpy() < 0) | (ids.to_numpy() >= _IDS)), np.any(pixels.to_numpy() < 0)]
    is_wrong += [np.any((strange.to_numpy() < 0) | (strange.to_numpy() >= frames))]
    is_wrong += [np.any((void.to_numpy() < 0) | (void.to_numpy() > 1)), np.any(lengths["ids"] != lengths["pixels"])]
    if any(is_wrong):
        raise ValueError("counts of no pixels")
