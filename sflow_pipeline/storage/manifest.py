"""What a dataset says about itself: one small commit record per shard, and the manifest assembled from them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sflow_pipeline.errors import OutputError
from sflow_pipeline.schema import FORMAT_VERSION
from sflow_pipeline.storage.filesystem import Folder

MANIFEST_PATH = "manifest.json"
STATE_PATH = ".sflow"
_COMMITS_PATH = f"{STATE_PATH}/commits"
_TOOL = "sflow-pipeline"


@dataclass(frozen=True)
class ShardRecord:
    """Written last, once everything it names is in place: the proof that a shard is done.

    Attributes:
        shard_id: stable name of the shard.
        split: which split its rows are in.
        fingerprint: sha256 hex of everything that decides its content.
        path: the shard's file, None where no frame of it could be converted.
        sha256: of that file.
        size_bytes: of that file (PNG trees: with the files it lists).
        rows: rows in it.
        frames: source frames that it stands for, quarantined ones included.
        quarantine_path: file of the rows that say what was left out and why, None where nothing was.
        quarantine_sha256: of that file.
        reasons: reason -> how many frames were quarantined for it.
        edge_f1_mean: mean of the column over the rows, None without rows.
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
    edge_f1_mean: float | None = None

    @property
    def quarantined(self) -> int:
        """How many of its frames were not converted."""
        return sum(self.reasons.values())

    @property
    def commit_path(self) -> str:
        """Where its commit record is."""
        return f"{_COMMITS_PATH}/{self.split}/{self.shard_id}.json"


def write_commit(folder: Folder, record: ShardRecord) -> None:
    """Commit a shard; its files must be in place."""
    folder.write_bytes(record.commit_path, encode_json(asdict(record)))


def remove_commit(folder: Folder, record: ShardRecord) -> None:
    """Take a shard's commit back, before its files are removed."""
    folder.remove(record.commit_path)


def load_commits(folder: Folder) -> dict[str, ShardRecord]:
    """Every committed shard by its id; records that cannot be read count as not committed."""
    records = {}
    for path in folder.list_files(_COMMITS_PATH):
        try:
            record = _parse_record(json.loads(folder.read_bytes(path)))
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if record.commit_path == path:
            records[record.shard_id] = record
    return records


def check_ours(folder: Folder) -> None:
    """Refuse a folder that holds something else than a dataset of this tool.

    Raises:
        OutputError: it is not empty and nothing of this tool is in it, or its format is newer.
    """
    manifest = _read_manifest(folder)
    if manifest is not None:
        if manifest.get("tool") != _TOOL:
            raise _not_ours(folder, "its manifest.json was not written by sflow-pipeline")
        if int(manifest.get("format_version", 0)) > FORMAT_VERSION:
            raise OutputError(
                f"{folder.uri}: format version {manifest['format_version']} is newer than this tool's {FORMAT_VERSION}",
                hint="update sflow-pipeline, or write to another folder",
            )
        return
    files = folder.list_files()
    if any(path.startswith(f"{STATE_PATH}/") for path in files):
        return
    visible = [path for path in files if not path.startswith(".")]
    if visible:
        raise _not_ours(
            folder, f"it holds {visible[0]}" + (f" and {len(visible) - 1} more" if len(visible) > 1 else "")
        )


def write_manifest(folder: Folder, facts: Mapping[str, Any], records: Iterable[ShardRecord]) -> dict[str, Any]:
    """Assemble ``manifest.json`` and write it; nothing in it depends on when or by how many workers it was made.

    Args:
        folder: the dataset.
        facts: tool version, job, source, bundle, label space, …
        records: every shard, in the order of the index.

    Returns:
        the manifest.
    """
    shards = list(records)
    splits = {
        split: {
            "shards": sum(shard.split == split for shard in shards),
            "frames": sum(shard.frames for shard in shards if shard.split == split),
            "rows": sum(shard.rows for shard in shards if shard.split == split),
            "quarantined": sum(shard.quarantined for shard in shards if shard.split == split),
        }
        for split in sorted({shard.split for shard in shards})
    }
    manifest = {
        "tool": _TOOL,
        "format_version": FORMAT_VERSION,
        **facts,
        "counts": {
            "shards": len(shards),
            "frames": sum(shard.frames for shard in shards),
            "rows": sum(shard.rows for shard in shards),
            "quarantined": sum(shard.quarantined for shard in shards),
            "size_bytes": sum(shard.size_bytes for shard in shards),
        },
        "splits": splits,
        "shards": [asdict(shard) for shard in shards],
    }
    folder.write_bytes(MANIFEST_PATH, encode_json(manifest))
    return manifest


def load_manifest(folder: Folder) -> dict[str, Any]:
    """The manifest of a finished dataset.

    Raises:
        OutputError: there is none, or it cannot be read.
    """
    manifest = _read_manifest(folder)
    if manifest is None:
        unfinished = bool(folder.list_files(STATE_PATH))
        raise OutputError(
            f"{folder.uri}: {'conversion did not finish' if unfinished else 'not a dataset'}: no manifest.json",
            hint="run the same convert command again; finished shards are kept" if unfinished else "check the path",
        )
    if manifest.get("tool") != _TOOL:
        raise _not_ours(folder, "its manifest.json was not written by sflow-pipeline")
    return manifest


def list_shards(manifest: Mapping[str, Any]) -> list[ShardRecord]:
    """The shards that a manifest names.

    Raises:
        OutputError: an entry is malformed.
    """
    try:
        return [_parse_record(entry) for entry in manifest["shards"]]
    except (KeyError, TypeError, ValueError) as error:
        raise OutputError(f"manifest.json: malformed shard entry: {error}", hint="convert again") from error


def encode_json(content: object) -> bytes:
    """Readable JSON with sorted keys: the same content, the same bytes.

    >>> encode_json({"b": 1, "a": "ä"}).decode()
    '{\\n  "a": "ä",\\n  "b": 1\\n}\\n'
    """
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def compute_digest(content: object) -> str:
    """sha256 hex of a JSON-like value, independent of key order."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _parse_record(content: Any) -> ShardRecord:
    if not isinstance(content, dict):
        raise TypeError("a shard record must be a mapping")
    return ShardRecord(**{name: content[name] for name in (item.name for item in fields(ShardRecord))})


def _read_manifest(folder: Folder) -> dict[str, Any] | None:
    try:
        content = json.loads(folder.read_bytes(MANIFEST_PATH))
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise OutputError(f"{folder.uri}: a file, not a folder", hint="choose another output folder") from error
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{folder.uri}/manifest.json: cannot be read: {error}", hint="remove it, then convert again"
        ) from error
    return content if isinstance(content, dict) else {}


def _not_ours(folder: Folder, reason: str) -> OutputError:
    return OutputError(
        f"{folder.uri}: not a dataset of sflow-pipeline: {reason}",
        hint="choose an empty or new folder; nothing was changed",
    )
