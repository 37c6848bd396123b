"""WebDataset: tar files of neighbouring members that share a key; the same dataset gives the same bytes."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sflow_pipeline.dataset.row import Row
from sflow_pipeline.export.destination import Destination
from sflow_pipeline.export.exporter import ExportTask, FlatNames, Outcome

NAME = "webdataset"
LAYOUT = "<split>-000000.tar with <key>.image.png (or .webp, .jpg), <key>.label.png, … and <key>.json; labels untouched"

_MAX_ROWS = 1000
_MAX_BYTES = 256 << 20


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``."""
    rows = 0
    counts: dict[str, int] = {}
    names = FlatNames()
    waiting: list[Row] = []
    waiting_bytes = 0
    for row in task.rows:
        if waiting and (row.split != waiting[0].split or len(waiting) == _MAX_ROWS or waiting_bytes >= _MAX_BYTES):
            _write_tar(task, waiting, counts, names)
            waiting, waiting_bytes = [], 0
        waiting.append(row)
        waiting_bytes += sum(len(value["bytes"]) for value in row.values.values() if isinstance(value, dict))
        rows += 1
    if waiting:
        _write_tar(task, waiting, counts, names)
    return Outcome(rows, f"byte for byte the dataset's ({task.contents.label_space.name})")


def _write_tar(task: ExportTask, rows: list[Row], counts: dict[str, int], names: FlatNames) -> None:
    split = rows[0].split
    number = counts.setdefault(split, 0)
    counts[split] += 1
    with _open_tar(task.dest, f"{split}-{number:06d}.tar") as tar:
        for row in rows:
            key = names.name(row)
            for column in task.contents.columns:
                value = row.values.get(column)
                if isinstance(value, str):
                    _add(tar, f"{key}.{column}.json", value.encode("utf-8"))
                elif value is not None:
                    _add(tar, f"{key}.{column}{row.suffix(column)}", row.require_file(column))
            facts = {name: value for name, value in row.values.items() if name not in task.contents.columns}
            facts["label_space"] = task.contents.label_space.name
            _add(tar, f"{key}.json", json.dumps(facts, sort_keys=True, ensure_ascii=False).encode("utf-8"))


@contextmanager
def _open_tar(dest: Destination, path: str) -> Iterator[tarfile.TarFile]:
    target = dest.locate(path)
    with dest.translate_errors(path), tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        yield tar
    dest.add_written(path)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member: Any = tarfile.TarInfo(name)  # its defaults hold no time, no user and no machine
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
