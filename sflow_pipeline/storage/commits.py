"""Commit records: one small file per finished shard, written last."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache, partial
from typing import Any

from pydantic import TypeAdapter

from sflow_pipeline.errors import OutputError, first_line
from sflow_pipeline.storage.canonical_json import compute_digest, encode_json
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.look_ahead import map_ahead
from sflow_pipeline.storage.shard_file import list_shard_files

STATE_PATH = ".sflow"
_COMMITS_PATH = f"{STATE_PATH}/commits"
#: Key of a record's digest.
_DIGEST = "record_sha256"
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """A finished shard. Its record is written once every file that it names is in place.

    Attributes:
        shard_id: stable name of the shard.
        split: split of its rows.
        fingerprint: sha256 hex of everything that decides its content.
        path: the shard's file; None if none of its frames could be converted.
        sha256: of that file.
        size_bytes: of that file (PNG trees: including the files it lists).
        rows: rows in it.
        frames: source frames of the shard, including quarantined ones.
        quarantine_path: file with one row per frame or variant that was left out; None if there is none.
        quarantine_sha256: of that file.
        reasons: reason -> quarantined frames.
        rejected: variants of converted frames that the gate did not accept; each has a quarantine row.
        faults: sample id -> sha256 of what was read of a quarantined frame, "" where reading failed; such frames are
            converted again when they can be read, or read otherwise.
        edge_f1_mean: mean of the column over the rows; None without rows.
        settings_fingerprint: sha256 hex of the settings alone; empty in records of older versions.
        batch_size: frames that a GPU translated at once at the end of the shard where its memory was too short for as
            many as the settings say; kernels, and so the rounding of pixels, depend on it. None elsewhere.
        graph_failure: why a GPU ran kernel by kernel and not as CUDA graphs, which changes no byte; None elsewhere.
    """

    shard_id: str
    split: str
    fingerprint: str
    path: str | None
    sha256: str | None
    size_bytes: int
    rows: int
    frames: int
    quarantine_path: str | None = None
    quarantine_sha256: str | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)
    rejected: int = 0
    faults: Mapping[str, str] = field(default_factory=dict)
    edge_f1_mean: float | None = None
    settings_fingerprint: str = ""
    batch_size: int | None = None
    graph_failure: str | None = None

    @property
    def quarantined(self) -> int:
        """Number of frames that were not converted."""
        return sum(self.reasons.values())

    @property
    def commit_path(self) -> str:
        """Path of its commit record."""
        return f"{_COMMITS_PATH}/{self.split}/{self.shard_id}.json"


_FIELDS = frozenset(item.name for item in fields(ShardRecord))


def write_commit(folder: Folder, record: ShardRecord) -> None:
    """Commit a shard; its files must be in place. The record ends with a digest of itself."""
    content = asdict(record)
    folder.write_bytes(record.commit_path, encode_json({**content, _DIGEST: compute_digest(content)}))


def remove_commit(folder: Folder, record: ShardRecord) -> None:
    """Withdraw a shard's commit, before its files are removed."""
    folder.remove(record.commit_path)


def load_commits(folder: Folder, on_damaged: Callable[[str], None] = lambda _path: None) -> dict[str, ShardRecord]:
    """Every committed shard by id; a damaged record counts as not committed, and ``on_damaged`` gets its path.

    Raises:
        OutputError: a record cannot be reached, so that nobody knows whether it is there.
    """
    paths = folder.list_files(_COMMITS_PATH)
    records = {}
    for path, record in zip(paths, map_ahead(partial(_load_commit, folder), paths), strict=True):
        if record is not None and record.commit_path == path and _is_inside(record):
            records[record.shard_id] = record
        else:
            on_damaged(path)
    return records


def _load_commit(folder: Folder, path: str) -> ShardRecord | None:
    """A record, None where it is damaged."""
    try:
        data = folder.read_bytes(path)
        record = _adapter().validate_json(data, strict=True)
        return _share_values(record) if _is_whole(json.loads(data)) else None
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, OSError) and folder.is_passing(error):
            raise OutputError(
                f"{folder.uri}: {path}: cannot be read: {error.strerror or first_line(error)}",
                hint="restore access to the folder and run the same command again; nothing was changed",
            ) from error
        return None


def _share_values(record: ShardRecord) -> ShardRecord:
    """The same record; what many records or the plan hold alike is in memory once."""
    return replace(
        record,
        shard_id=sys.intern(record.shard_id),
        split=sys.intern(record.split),
        fingerprint=sys.intern(record.fingerprint),
        settings_fingerprint=sys.intern(record.settings_fingerprint),
        reasons=record.reasons or _NOTHING,
        faults=record.faults or _NOTHING,
    )


def _is_whole(content: dict[str, object]) -> bool:
    """Whether nothing but the known fields is there, and they have the digest; records of older versions have none."""
    digest = content.pop(_DIGEST, None)
    return content.keys() <= _FIELDS and (digest is None or digest == compute_digest(content))


def _is_inside(record: ShardRecord) -> bool:
    """Whether its files are where a shard's files are; counts below zero belong to no shard."""
    places = ((record.path, "data/"), (record.quarantine_path, "quarantine/"))
    counts = (record.rows, record.frames, record.size_bytes, record.rejected, *record.reasons.values())
    return min(counts) >= 0 and all(
        path is None or (path.startswith(place) and ".." not in path.split("/") and "\0" not in path)
        for path, place in places
    )


def compute_mean_edge_f1(records: Iterable[ShardRecord]) -> float | None:
    """Mean of ``edge_f1`` over all rows; None without rows.

    >>> a = ShardRecord("a", "train", "", "a.parquet", "", 1, rows=1, frames=1, edge_f1_mean=0.25)
    >>> b = ShardRecord("b", "train", "", "b.parquet", "", 1, rows=3, frames=3, edge_f1_mean=0.75)
    >>> compute_mean_edge_f1([a, b])
    0.625
    """
    scored = [(record.edge_f1_mean, record.rows) for record in records if record.edge_f1_mean is not None]
    return sum(f1 * rows for f1, rows in scored) / sum(rows for _f1, rows in scored) if scored else None


def list_record_files(folder: Folder, records: Sequence[ShardRecord]) -> set[str]:
    """Every file below ``data/`` and ``quarantine/`` that belongs to these shards, including the pictures of trees."""
    files = {record.quarantine_path for record in records if record.quarantine_path}
    files.update(path for record in records if record.path for path in list_shard_files(folder, record.path))
    return files


@cache
def _adapter() -> TypeAdapter[ShardRecord]:
    return TypeAdapter(ShardRecord)
