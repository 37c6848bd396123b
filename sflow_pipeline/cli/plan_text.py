"""Plan of a conversion as text and as JSON-like values, for ``--dry-run``."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sflow_pipeline.conversion.plan.plan import Plan
    from sflow_pipeline.conversion.source.source_list import SourceChanges

_SHOWN_FILES = 5


def list_plan(plan: "Plan") -> str:
    """What a run would do: settings, source files and rows that change, then one line per shard."""
    lines = [f"setting {change}" for change in plan.settings]
    if plan.sources is not None:
        lines += _list_sources(plan.sources)
    for loss in plan.losses:
        examples = f", first {', '.join(loss.examples)}" if loss.examples else ""
        lines.append(f"{'asks for --replace' if loss.needs_replace else 'go'}: {loss.rows} rows {loss.text}{examples}")
    lines += [
        f"{shard.action:8}{shard.task.shard_id}  {shard.task.split}  {len(shard.task.frames)} frames  {shard.reason}"
        for shard in plan.shards
    ]
    lines += [f"{'remove':8}{record.shard_id}  {record.split}  {record.frames} frames" for record in plan.removed]
    if plan.is_up_to_date:
        lines.append("up to date")
    elif not plan.tasks and not plan.removed:
        missing = "to be written again" if plan.is_finished else "missing"
        lines.append(f"every shard is converted; the manifest is {missing}")
    return "\n".join(lines)


def plan_to_dict(plan: "Plan") -> dict[str, Any]:
    """The same as JSON-like values."""
    shards = [
        {
            "shard_id": shard.task.shard_id,
            "split": shard.task.split,
            "frames": len(shard.task.frames),
            "fingerprint": shard.task.fingerprint,
            "action": shard.action,
            "reason": shard.reason,
        }
        for shard in plan.shards
    ]
    return {
        "frames": plan.frames,
        "frames_to_convert": plan.frames_to_convert,
        "rows_before": plan.rows_before,
        "is_up_to_date": plan.is_up_to_date,
        "needs_replace": any(loss.needs_replace for loss in plan.losses),
        "settings": [asdict(change) for change in plan.settings],
        "sources": None if plan.sources is None else asdict(plan.sources),
        "losses": [asdict(loss) for loss in plan.losses],
        "shards": shards,
        "removed": [record.shard_id for record in plan.removed],
    }


def _list_sources(sources: "SourceChanges") -> list[str]:
    """Counts since the last finished run, and the first files of each kind."""
    kinds = {"new": sources.new, "changed": sources.changed, "not read any more": sources.gone}
    counts = ", ".join(f"{len(paths)} {kind}" for kind, paths in kinds.items())
    lines = [f"source files: {counts}, {sources.unchanged} unchanged"]
    for kind, paths in kinds.items():
        lines += [f"  {kind}: {path}" for path in paths[:_SHOWN_FILES]]
        if len(paths) > _SHOWN_FILES:
            lines.append(f"  {kind}: and {len(paths) - _SHOWN_FILES} more; --json lists them")
    return lines
