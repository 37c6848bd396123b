"""Counts of labels from earlier runs, kept beside the dataset: a row per group of frames in one Parquet file."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sflow_pipeline.conversion.label_counts import LabelCounts
from sflow_pipeline.conversion.source_index import SourceFrames
from sflow_pipeline.storage.commits import STATE_PATH
from sflow_pipeline.storage.filesystem import Folder

COUNTS_PATH = f"{STATE_PATH}/label_counts.parquet"
_KEY = b"labels"
_IDS = 65536
_SCHEMA = pa.schema(
    [
        ("group", pa.string()),
        ("ids", pa.list_(pa.int32())),
        ("pixels", pa.list_(pa.int64())),
        ("strange", pa.list_(pa.int32())),
        ("void", pa.list_(pa.float64())),
    ]
)


def name_group(frames: SourceFrames) -> str:
    """What the counts of a group are kept under: its labels and their tables, in this state."""
    digest = hashlib.sha256()
    for name in ("label", "label_identity", "label_table", "label_table_identity"):
        digest.update("\n".join(value or "" for value in (name, *frames.read_column(name))).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def load_counts(folder: Folder, key: str, on_damaged: Callable[[str], None]) -> dict[str, LabelCounts]:
    """Name of a group -> its counts; empty where none are kept for these labels.

    Args:
        folder: the dataset's.
        key: names the label space and how labels hold ids.
        on_damaged: gets the path where the file cannot be read.
    """
    try:
        data = folder.read_bytes(COUNTS_PATH)
        table = pq.read_table(pa.BufferReader(data), use_threads=False)
        if (table.schema.metadata or {}).get(_KEY) != key.encode():
            return {}
        rows: list[dict[str, Any]] = table.cast(_SCHEMA).select(["group", "ids", "pixels", "strange"]).to_pylist()
        shares = table["void"].combine_chunks()
        return {row["group"]: _read_counts(row, shares[i].values.to_numpy()) for i, row in enumerate(rows)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
        on_damaged(COUNTS_PATH)
        return {}


def save_counts(folder: Folder, key: str, counts: Mapping[str, LabelCounts]) -> None:
    """Keep the counts; the same counts give the same bytes."""
    columns = {
        "group": list(counts),
        "ids": [list(found.pixels) for found in counts.values()],
        "pixels": [list(found.pixels.values()) for found in counts.values()],
        "strange": [found.strange for found in counts.values()],
        "void": [found.void for found in counts.values()],
    }
    table = pa.table(columns, schema=_SCHEMA).replace_schema_metadata({_KEY: key})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, write_statistics=False)
    folder.write_bytes(COUNTS_PATH, sink.getvalue().to_pybytes())


def _read_counts(row: Mapping[str, Any], void: Any) -> LabelCounts:
    """A row of the file, checked.

    Raises:
        ValueError, TypeError: its numbers are none of pixels.
    """
    pixels = dict(zip(row["ids"], row["pixels"], strict=True))
    strange = tuple(row["strange"])
    if any(not 0 <= i < _IDS or n < 0 for i, n in pixels.items()) or any(not 0 <= i < len(void) for i in strange):
        raise ValueError("counts of no pixels")
    if np.any((void < 0) | (void > 1)):
        raise ValueError("shares of no pixels")
    return LabelCounts(pixels, strange, void)
