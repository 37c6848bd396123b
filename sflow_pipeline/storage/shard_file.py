"""Files of a shard: one writer for every format, published atomically under a name derived from the content."""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from sflow_pipeline.storage.filesystem import Folder, Scratch
from sflow_pipeline.storage.parquet_shard import ParquetShardWriter, count_rows, read_rows
from sflow_pipeline.storage.png_tree import (
    PngTreeWriter,
    list_tree_digests,
    list_tree_files,
    read_tree_lines,
    read_tree_rows,
)
from sflow_pipeline.storage.write_errors import translate_write_errors

ShardFormat = Literal["parquet", "png"]
_SUFFIXES: dict[ShardFormat, str] = {"parquet": "parquet", "png": "jsonl"}

_KEPT = "finished shards are kept"


@dataclass(frozen=True)
class ShardFile:
    """A published file of rows; ``size_bytes`` counts the files it lists, too."""

    path: str
    sha256: str
    size_bytes: int
    rows: int


class ShardFileWriter:
    """Writes rows and publishes them as one file; without ``publish``, its context manager removes all of it.

    Args:
        folder: the dataset.
        stem: path of the file without digest and suffix.
        schema: of the rows.
        file_format: ``parquet``, or ``png`` for a tree of pictures and a list of them.

    Every method raises OutputError where the disk is full, the folder read-only, ….
    """

    def __init__(self, folder: Folder, stem: str, schema: pa.Schema, file_format: ShardFormat) -> None:
        self._folder = folder
        self._stem = stem
        self._schema = schema
        self._format = file_format
        self._name = f"{folder.uri}: {stem}"
        self._stack = contextlib.ExitStack()
        self._scratch: Scratch
        self._rows: ParquetShardWriter | PngTreeWriter

    def __enter__(self) -> "ShardFileWriter":
        self._scratch = self._stack.enter_context(self._folder.scratch(self._stem))
        with translate_write_errors(self._name, kept=_KEPT):
            if self._format == "parquet":
                self._rows = ParquetShardWriter(self._scratch.path, self._schema)
            else:
                self._rows = PngTreeWriter(self._scratch.path, self._schema, self._folder)
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):  # a full disk was already reported by the write
            self._rows.abort()
        self._stack.close()

    def add(self, row: dict[str, Any]) -> None:
        """Add one row."""
        with translate_write_errors(self._name, kept=_KEPT):
            self._rows.add(row)

    def publish(self) -> ShardFile:
        """Finish, check the written file, and publish it."""
        with translate_write_errors(self._name, kept=_KEPT):
            rows = self._rows.close()
            sha256 = hash_file(self._scratch.path)
            size_bytes = self._scratch.path.stat().st_size
        if isinstance(self._rows, PngTreeWriter):
            size_bytes += self._rows.files_bytes
        path = f"{self._stem}-{sha256[:12]}.{_SUFFIXES[self._format]}"
        self._scratch.publish(path)
        return ShardFile(path, sha256, size_bytes, rows)


def read_shard(folder: Folder, path: str, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Stream the rows of a shard of either format; picture columns are ``{bytes, path}``.

    Args:
        folder: the dataset.
        path: of the shard's file.
        columns: which columns to read; all where None.
    """
    if path.endswith(".jsonl"):
        return read_tree_rows(folder, path, columns)
    return read_rows(folder, path, None if columns is None else list(columns))


class RowKey(NamedTuple):
    """Which row it is, the paths of its render and label in the dump, and sha256 of that render."""

    sample_id: str
    variant: int
    sources: tuple[str, str]
    render_sha256: str


def read_row_keys(folder: Folder, path: str) -> Iterator[RowKey]:
    """The keys of a shard's rows; no picture is read.

    Raises:
        OSError, ValueError, pyarrow.ArrowException: it is not there or not whole.
    """
    if path.endswith(".jsonl"):
        rows = read_tree_lines(folder, path)
    else:
        rows = read_rows(folder, path, ["sample_id", "variant", "source_uri", "source_sha256", "label.path"])
    for row in rows:
        label = row["label"]
        sources = (row["source_uri"], label.get("source") or label["path"])
        yield RowKey(row["sample_id"], row["variant"], sources, row["source_sha256"])


def count_shard_rows(folder: Folder, path: str) -> int:
    """Number of rows that a shard's file states.

    Raises:
        OSError, pyarrow.ArrowInvalid: it is not there or not whole.
    """
    if path.endswith(".jsonl"):
        return folder.read_bytes(path).count(b"\n")
    return count_rows(folder, path)


def list_shard_files(folder: Folder, path: str) -> list[str]:
    """A shard's file and, for a tree, the files it lists."""
    return [path, *(list_tree_files(folder, path) if path.endswith(".jsonl") else [])]


def find_changed_picture(folder: Folder, path: str) -> str | None:
    """The first picture that a tree's list names and whose bytes are not those that were written; None without one."""
    for name, sha256 in list_tree_digests(folder, path) if path.endswith(".jsonl") else ():
        if hash_stored_file(folder, name) != sha256:
            return name
    return None


def hash_file(path: Path) -> str:
    """sha256 hex of a local file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_stored_file(folder: Folder, path: str) -> str:
    """sha256 hex of a file of a folder, read in pieces."""
    digest = hashlib.sha256()
    with folder.open_input(path) as stream:
        while chunk := stream.read(8 << 20):
            digest.update(chunk)
    return digest.hexdigest()
