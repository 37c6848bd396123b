"""Rows of an existing dataset that a run would take away, and whether that needs the user's word."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import pyarrow as pa

from sflow_pipeline.addresses import strip_secrets
from sflow_pipeline.conversion.frame_content import MOST_VOID
from sflow_pipeline.conversion.job.resolve_job import ResolvedJob
from sflow_pipeline.errors import OutputError, SflowError
from sflow_pipeline.storage.commits import ShardRecord
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.shard_file import RowKey, read_row_keys

_EXAMPLES = 5
#: A dump at another place is the same one, moved or copied, where at least half of this many renders are the same.
_COMPARED_RENDERS = 16

Item = TypeVar("Item")
LossKind = Literal["another dump", "left out", "variants", "columns", "gate", "void", "source gone"]


@dataclass(frozen=True)
class Loss:
    """What goes for one reason.

    Attributes:
        kind: the reason as a word.
        rows: how many rows go, or lose something.
        text: the reason as a phrase.
        examples: sample ids of the first rows.
        needs_replace: it may be a slip, so ``replace`` must be said; false where the dump itself lost the frames.
    """

    kind: LossKind
    rows: int
    text: str
    examples: tuple[str, ...]
    needs_replace: bool = True


def find_losses(
    out: Folder,
    resolved: ResolvedJob,
    records: Sequence[ShardRecord],
    kept: Sequence[ShardRecord],
    before: Mapping[str, Any] | None,
) -> tuple[Loss, ...]:
    """Look for rows that would go.

    Args:
        out: the dataset.
        resolved: what is to be converted.
        records: the shards that would be removed or converted again.
        kept: the other shards, whose rows stay.
        before: the settings that the dataset was made with, see ``describe_settings``; None where unknown.
    """
    if not any(record.rows for record in records):
        return ()
    wanted = set(resolved.index["sample_id"].to_pylist())
    is_same = _is_same_dump(out, resolved, [*records, *kept], before)
    found: dict[LossKind, list[RowKey]] = {kind: [] for kind in ("another dump", "variants", "left out", "source gone")}
    gone: list[RowKey] = []
    rows = 0
    for key in _read_keys(out, records):
        rows += 1
        if not is_same:
            found["another dump"].append(key)
        elif key.sample_id not in wanted:
            gone.append(key)
        elif key.variant >= resolved.job.variants:
            found["variants"].append(key)
    source = resolved.settings.source
    is_there = {path for path, there in _exist(source, [path for key in gone for path in key.sources]).items() if there}
    for key in gone:
        found["left out" if all(path in is_there for path in key.sources) else "source gone"].append(key)
    old, new = (before or {}).get("sim_dir"), strip_secrets(source.full_uri)
    texts: dict[LossKind, str] = {
        "another dump": f"of another dump, {old}; this one is {new}",
        "variants": f"of variants from {resolved.job.variants} on; this job makes {resolved.job.variants}",
        "left out": "of frames that are still in the dump and not in this job (limit, layout, simulator)",
        "source gone": "of frames whose source files are gone from the dump",
    }
    losses = [
        Loss(kind, len(keys), texts[kind], _name(keys), needs_replace=kind != "source gone")
        for kind, keys in found.items()
        if keys
    ]
    if is_same and before is not None:
        losses += _find_thinner_rows(resolved, before, rows)
    return tuple(losses)


def check_losses(out: Folder, losses: Sequence[Loss], rows: int) -> None:
    """Refuse a run that would take rows away; ``rows`` are those of the dataset.

    Raises:
        OutputError: something goes that the user may want to keep.
    """
    asked = [loss for loss in losses if loss.needs_replace]
    if not asked:
        return
    lines = "; ".join(f"{loss.rows} rows {loss.text}" for loss in asked)
    raise OutputError(
        f"{out.uri}: holds {rows} rows, and this run would take away rows or parts of them: {lines}",
        hint="see all of it with --dry-run; if it is meant, add --replace; to keep them, choose another OUT_DIR",
    )


def _find_thinner_rows(resolved: ResolvedJob, before: Mapping[str, Any], rows: int) -> list[Loss]:
    """Columns that the dump still has, and rows that a stricter limit may leave out."""
    losses = []
    offered = {"edge", *resolved.modalities}
    kept = set(resolved.settings.row_schema.names)
    columns = [name for name in before.get("columns", ()) if name in offered and name not in kept]
    if columns:
        losses.append(Loss("columns", rows, f"lose the columns {', '.join(columns)} (include, size)", ()))
    if resolved.job.gate == "enforce" and before.get("gate") not in ("enforce", None):
        losses.append(Loss("gate", rows, f"may be left out by the gate (gate {before['gate']} -> enforce)", ()))
    limit, old_limit = resolved.settings.most_void, before.get("max_frame_void", MOST_VOID)
    if limit < (old_limit := MOST_VOID if old_limit is None else old_limit):
        losses.append(Loss("void", rows, f"may be left out (max_frame_void {old_limit:g} -> {limit:g})", ()))
    return losses


def _is_same_dump(
    out: Folder, resolved: ResolvedJob, records: Sequence[ShardRecord], before: Mapping[str, Any] | None
) -> bool:
    source = resolved.settings.source
    if before is None or before.get("sim_dir") == strip_secrets(source.full_uri):
        return True
    keys = list(_read_keys(out, _spread([record for record in records if record.rows])))
    compared = _spread(keys)
    return 2 * sum(_hash(source, key.sources[0]) == key.render_sha256 for key in compared) >= len(compared)


def _spread(items: Sequence[Item]) -> list[Item]:
    """A few items, evenly spaced."""
    return list(items[:: max(1, len(items) // _COMPARED_RENDERS)][:_COMPARED_RENDERS])


def _hash(source: Folder, path: str) -> str | None:
    try:
        return hashlib.sha256(source.read_bytes(path)).hexdigest()
    except (OSError, SflowError):
        return None


def _read_keys(out: Folder, records: Sequence[ShardRecord]) -> Iterator[RowKey]:
    for record in records:
        if record.path is None:
            continue
        try:
            yield from read_row_keys(out, record.path)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            continue  # damaged or gone: there is nothing to keep


def _exist(source: Folder, paths: Sequence[str]) -> dict[str, bool]:
    distinct = list(dict.fromkeys(paths))
    return {path: identity != "-1:0" for path, identity in zip(distinct, source.identify(distinct), strict=True)}


def _name(keys: Sequence[RowKey]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key.sample_id for key in keys))[:_EXAMPLES]
