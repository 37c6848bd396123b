"""The same rows as files: ``data/<split>/<sequence>/<column>/<frame>.png``, with one JSON line of scalars per row."""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Set
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from sflow_pipeline.errors import OutputError
from sflow_pipeline.schema import check_row, list_picture_columns
from sflow_pipeline.storage.filesystem import Folder

#: Frame and variant, as in the names of the files of variants after the first.
_VARIANT_NAME = re.compile(r"(.+)_v([1-9]\d{0,3})", re.DOTALL)


class PngTreeWriter:
    """Writes each picture of a row as a file of its own, and everything else as a line of JSON.

    The list of lines is the shard: files appear one by one; readers ignore them until the list is published.
    """

    def __init__(self, path: Path, schema: pa.Schema, folder: Folder) -> None:
        self._lines = path.open("w", encoding="utf-8", newline="\n")
        self._path = path
        self._folder = folder
        self._schema = schema
        self._pictures = list_picture_columns(schema)
        self._row_count = 0
        self.files_bytes = 0

    def add(self, row: dict[str, Any]) -> None:
        """Write a row's files, then its line.

        Raises:
            SflowError: a key is not in the schema, or a required column has no value.
        """
        check_row(row, self._schema)
        line = {name: row.get(name) for name in self._schema.names}
        for column in self._pictures:
            picture = line[column]
            if picture is None:
                continue
            path = locate_picture(row, column)
            self._folder.write_bytes(path, picture["bytes"])
            self.files_bytes += len(picture["bytes"])
            digest = hashlib.sha256(picture["bytes"]).hexdigest()
            line[column] = {"path": path, "sha256": digest, "source": picture["path"]}
        self._lines.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
        self._row_count += 1

    def close(self) -> int:
        """Finish the list, count its lines as they are on disk, and return their number.

        Raises:
            OutputError: what is on disk is not what was written.
        """
        self._lines.close()
        with self._path.open(encoding="utf-8") as stream:
            on_disk = sum(1 for _line in stream)
        if on_disk != self._row_count:
            raise OutputError(
                f"{self._path}: {on_disk} lines on disk, {self._row_count} were written",
                hint="check the disk, then run the same command again",
            )
        return self._row_count

    def abort(self) -> None:
        """Close the file handle of a shard that will not be published."""
        self._lines.close()


def locate_picture(row: dict[str, Any], column: str) -> str:
    """Where a row's picture goes.

    >>> row = {"sample_id": "town01/0007", "sequence_id": "town01", "split": "train", "variant": 0}
    >>> locate_picture({**row, "label": {"bytes": b"", "path": "0007.png"}}, "label")
    'data/train/town01/label/0007.png'
    >>> locate_picture({**row, "variant": 2, "image": {"bytes": b"", "path": "x.png"}}, "image")
    'data/train/town01/image/0007_v2.png'
    """
    sequence = row["sequence_id"]
    frame = row["sample_id"].removeprefix(f"{sequence}/")
    variant = f"_v{row['variant']}" if row["variant"] else ""
    suffix = PurePosixPath(row[column]["path"] or "").suffix or ".bin"
    parts = ["data", row["split"], sequence, column, f"{frame}{variant}{suffix}"]
    return "/".join(part for part in parts if part)


def find_shared_name(sample_ids: Set[str], variants: int) -> tuple[str, str] | None:
    """A frame, and another one of which a variant's files would have its files' names; None where there is none.

    >>> names = {"town/7", "town/7_v1", "town/9_v1"}
    >>> find_shared_name(names, variants=2), find_shared_name(names, variants=1)
    (('town/7_v1', 'town/7'), None)
    """
    matches = (matched for name in sample_ids if (matched := _VARIANT_NAME.fullmatch(name)))
    shared = (matched for matched in matches if int(matched[2]) < variants and matched[1] in sample_ids)
    return min(((matched[0], matched[1]) for matched in shared), default=None)


def read_tree_rows(folder: Folder, path: str, columns: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
    """Stream the rows of a shard's list, pictures as ``{bytes, path, sha256, source}``.

    Args:
        folder: the dataset.
        path: of the list.
        columns: which columns to return; every one where None. Files of other columns are not read.

    Raises:
        FileNotFoundError: a listed file is gone.
    """
    for row in read_tree_lines(folder, path):
        if columns is not None:
            row = {name: value for name, value in row.items() if name in columns}
        for value in row.values():
            if _is_file(value):
                value["bytes"] = folder.read_bytes(value["path"])
        yield row


def list_tree_files(folder: Folder, path: str) -> list[str]:
    """Every file that a shard's list names.

    Raises:
        OSError: the list cannot be read.
        ValueError: it is damaged.
    """
    return [name for name, _sha256 in list_tree_digests(folder, path)]


def list_tree_digests(folder: Folder, path: str) -> list[tuple[str, str]]:
    """(path, sha256) of every file that a shard's list names; errors as ``list_tree_files``."""
    rows = read_tree_lines(folder, path)
    return [(value["path"], value["sha256"]) for row in rows for value in row.values() if _is_file(value)]


def read_tree_lines(folder: Folder, path: str) -> Iterator[dict[str, Any]]:
    """The rows of a list, without their files.

    Lines end at line feeds alone: U+2028 and its like may stand in names and texts.

    Raises:
        OSError: the list cannot be read.
        ValueError: it is damaged.
    """
    for line in folder.read_bytes(path).split(b"\n")[:-1]:
        yield parse_line(line)


def parse_line(line: bytes) -> dict[str, Any]:
    """A row of a list.

    Raises:
        ValueError: it is none.
    """
    try:
        row = json.loads(line)
    except RecursionError as error:
        raise ValueError("a row is nested too deeply") from error
    if not isinstance(row, dict) or not all(map(_is_sound, row.values())):
        raise ValueError("a line is no row")
    return row


def _is_file(value: object) -> bool:
    return isinstance(value, dict) and "sha256" in value


def _is_sound(value: object) -> bool:
    return not _is_file(value) or (isinstance(value, dict) and isinstance(value.get("path"), str))
