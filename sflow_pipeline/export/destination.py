"""Export destination: a folder that is written atomically."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

from sflow_pipeline.columns import IDENTITY_COLUMNS, SCORE_COLUMNS
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.errors import OutputError, UsageError
from sflow_pipeline.storage.canonical_json import encode_json
from sflow_pipeline.storage.process_identity import host_name, is_process_alive
from sflow_pipeline.storage.write_errors import translate_write_errors

MARKER_PATH = "export.json"
#: In the marker, as ``tool``.
TOOL = "sflow-pipeline"
SAMPLES_PATH = "samples.jsonl"
_FACTS = (*IDENTITY_COLUMNS, "source_uri", *SCORE_COLUMNS)


class Destination:
    """Files of an export, collected beside their final place; made by ``open_destination``."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.file_count = 0
        self.size_bytes = 0
        self._written: set[str] = set()
        self._samples: IO[str] | None = None

    def locate(self, path: str) -> Path:
        """Where a new file goes; its folders are made.

        Raises:
            OutputError: the path leads out of the folder, or was written before.
        """
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
            raise OutputError(f"path {path!r} leads out of its folder", hint="rename the sequence or frame")
        if path in self._written:
            raise OutputError(
                f"{path}: two rows have this file name",
                hint="give sequences and frames names that differ in letters",
            )
        self._written.add(path)
        target = self.root / path
        with self.translate_errors(path):
            target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def translate_errors(self, path: str) -> contextlib.AbstractContextManager[None]:
        """Turn a refusal to write into an OutputError that names the file and what to do."""
        return translate_write_errors(f"{self.name}: {path}")

    def write(self, path: str, data: bytes) -> None:
        """Write a file.

        Raises:
            OutputError: the path leads out of the folder or was written before, the disk is full, ….
        """
        target = self.locate(path)
        with self.translate_errors(path):
            target.write_bytes(data)
        self.file_count += 1
        self.size_bytes += len(data)

    def add_written(self, path: str) -> None:
        """Count a file that was written where ``locate`` said."""
        self.file_count += 1
        self.size_bytes += (self.root / path).stat().st_size

    def note_sample(self, row: Row, path: str) -> None:
        """Keep which row became which file, one line of JSON each in ``samples.jsonl``."""
        line = {"file": path, **{name: row.values.get(name) for name in _FACTS}}
        with self.translate_errors(SAMPLES_PATH):
            if self._samples is None:
                self._samples = self.locate(SAMPLES_PATH).open("w", encoding="utf-8", newline="\n")
            self._samples.write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Finish the list of samples."""
        if self._samples is not None:
            samples, self._samples = self._samples, None
            with self.translate_errors(SAMPLES_PATH):
                samples.close()
            self.add_written(SAMPLES_PATH)


@contextlib.contextmanager
def open_destination(dest: str, source_dir: str, marker: Mapping[str, Any]) -> Iterator[Destination]:
    """Write an export; it is moved into place when the block ends, and removed when it fails.

    Args:
        dest: a local folder: new, empty, or an earlier export, which is then replaced.
        source_dir: the dataset, which must not be touched.
        marker: description of this export; kept in ``export.json``, which also says that the folder may be replaced.

    Raises:
        UsageError: ``dest`` is not a local folder, or contains the dataset or is inside it.
        OutputError: ``dest`` holds something else, or cannot be written.
    """
    target = _check_place(dest, source_dir)
    _check_ours(target)
    _remove_leftovers(target)
    scratch = target.parent / f"{_prefix(target)}{host_name()}-{os.getpid()}"
    destination = Destination(scratch, dest)
    try:
        with translate_write_errors(dest):
            scratch.mkdir(parents=True)
        yield destination
        destination.close()
        destination.write(MARKER_PATH, encode_json(marker))
        _check_ours(target)  # another process may have written meanwhile
        with translate_write_errors(dest):
            _swap(scratch, target)
    finally:
        with contextlib.suppress(OutputError):  # the error that ended the block matters more
            destination.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _check_place(dest: str, source_dir: str) -> Path:
    if "://" in dest:
        raise UsageError(f"DEST {dest}: exports are written to local folders", hint="export, then copy the folder")
    target = Path(dest).expanduser().resolve()
    if target.is_mount():
        raise UsageError(
            f"DEST {dest}: is a mount point, which cannot be replaced atomically",
            hint=f"export to a folder in it: {target}/export",
        )
    source = None if "://" in source_dir else Path(source_dir).expanduser().resolve()
    if source is not None and (target == source or source in target.parents or target in source.parents):
        raise UsageError(f"DEST {dest}: is the dataset, inside it or around it", hint="export beside the dataset")
    return target


def _check_ours(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target}: is not a folder", hint="choose a new or empty folder")
    names = sorted(entry.name for entry in target.iterdir()) if target.is_dir() else []
    if names and not _is_export(target):
        raise OutputError(
            f"{target}: not an export of sflow-pipeline: it holds {names[0]}"
            + (f" and {len(names) - 1} more" if len(names) > 1 else ""),
            hint="choose an empty or new folder; nothing was changed",
        )


def _is_export(folder: Path) -> bool:
    """Whether the marker there says that this tool wrote the folder."""
    try:
        marker = json.loads((folder / MARKER_PATH).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(marker, dict) and marker.get("tool") == TOOL


def _prefix(target: Path) -> str:
    return f".{target.name}.sflow-export-"


def _remove_leftovers(target: Path) -> None:
    """Remove leftovers of killed exports to the same place; an old export that was being replaced is restored."""
    if not target.parent.is_dir():
        return
    for entry in sorted(target.parent.iterdir()):
        owner = entry.name.removeprefix(_prefix(target))
        host, _, process = owner.removesuffix(".old").rpartition("-")
        if owner == entry.name or host != host_name() or not process.isdigit() or is_process_alive(int(process)):
            continue
        if owner.endswith(".old") and not target.exists():
            entry.rename(target)
        else:
            shutil.rmtree(entry, ignore_errors=True)


def _swap(scratch: Path, target: Path) -> None:
    if target.is_dir() and any(target.iterdir()):
        old = scratch.with_name(f"{scratch.name}.old")
        target.rename(old)
        scratch.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        scratch.rename(target)  # POSIX lets a folder take the place of an empty one
