"""Conversion plan: the shards that a run converts, keeps and removes, with reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from sflow_pipeline.conversion.frame.source_reading import find_changed_read
from sflow_pipeline.conversion.plan.losses import Loss
from sflow_pipeline.conversion.setting_changes import SettingChange
from sflow_pipeline.conversion.shard_task import ShardTask
from sflow_pipeline.conversion.source.source_list import SourceChanges
from sflow_pipeline.errors import first_line
from sflow_pipeline.storage.commits import ShardRecord
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.look_ahead import map_ahead
from sflow_pipeline.storage.shard_file import count_shard_rows, find_changed_picture, hash_stored_file, list_shard_files

Action = Literal["convert", "redo", "keep"]


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """One shard and its planned action."""

    task: ShardTask
    action: Action
    reason: str
    record: ShardRecord | None = None


@dataclass(frozen=True)
class Plan:
    """What a run does to a dataset.

    Attributes:
        shards: every shard of the dataset, in index order.
        removed: shards that are no longer part of it.
        is_finished: the dataset has a manifest.
        settings: what differs from the settings that the dataset was made with.
        sources: source files that differ from those of the last finished run; None where no run finished.
        losses: rows that would go.
    """

    shards: tuple[PlannedShard, ...]
    removed: tuple[ShardRecord, ...]
    is_finished: bool = False
    settings: tuple[SettingChange, ...] = ()
    sources: SourceChanges | None = None
    losses: tuple[Loss, ...] = ()

    @property
    def is_up_to_date(self) -> bool:
        """Whether a run would have nothing to do."""
        is_described = not any(change.is_of_the_manifest for change in self.settings)
        return self.is_finished and is_described and not self.tasks and not self.removed

    @property
    def touched(self) -> list[ShardRecord]:
        """Finished shards that are converted again or removed."""
        redone = [shard.record for shard in self.shards if shard.action != "keep" and shard.record is not None]
        return [*redone, *self.removed]

    @property
    def rows_before(self) -> int:
        """Rows of the dataset as it is."""
        return sum(record.rows for record in (*self.kept, *self.touched))

    @property
    def tasks(self) -> list[ShardTask]:
        """The shards to convert."""
        return [shard.task for shard in self.shards if shard.action != "keep"]

    @property
    def kept(self) -> list[ShardRecord]:
        return [shard.record for shard in self.shards if shard.action == "keep" and shard.record is not None]

    @property
    def frames(self) -> int:
        return sum(len(shard.task.frames) for shard in self.shards)

    @property
    def frames_to_convert(self) -> int:
        return sum(len(task.frames) for task in self.tasks)

    def count(self, action: Action) -> int:
        """Number of shards with this action."""
        return sum(shard.action == action for shard in self.shards)


def build_plan(
    tasks: Sequence[ShardTask],
    commits: Mapping[str, ShardRecord],
    out: Folder,
    source: Folder,
    *,
    settings_fingerprint: str,
    resume: bool,
    check_digests: bool,
) -> Plan:
    """Plan which shards are converted, kept and removed.

    Args:
        tasks: every shard of the dataset.
        commits: records of finished shards, by shard id.
        out: the dataset's folder.
        source: the dump's folder, where frames that were left out are looked at again.
        settings_fingerprint: of the settings, to tell their changes from those of source files.
        resume: keep undamaged shards.
        check_digests: compare the digests of files; otherwise existence and number of rows.
    """

    def plan(task: ShardTask) -> PlannedShard:
        record = commits.get(task.shard_id)
        if record is None:
            return PlannedShard(task, "convert", "new")
        if not resume:
            reason = "requested"
        elif record.fingerprint != task.fingerprint:
            reason = _explain_fingerprint(record, settings_fingerprint)
        else:
            retry = find_changed_read(record.faults, task.read_frames, source)
            damage = find_damage(out, record, check_digests=check_digests)
            reason = damage or (f"{retry} was left out and may be readable now" if retry else "")
        return PlannedShard(task, "redo" if reason else "keep", reason or "unchanged", record)

    shards = tuple(map_ahead(plan, tasks, batch=4 if check_digests else 16))
    wanted = {task.shard_id for task in tasks}
    removed = tuple(record for shard_id, record in sorted(commits.items()) if shard_id not in wanted)
    return Plan(shards, removed)


def _explain_fingerprint(record: ShardRecord, settings_fingerprint: str) -> str:
    if not record.settings_fingerprint:
        return "source files or settings changed"
    is_same = record.settings_fingerprint == settings_fingerprint
    return "frames or their files changed" if is_same else "settings changed"


def find_damage(out: Folder, record: ShardRecord, *, check_digests: bool) -> str | None:
    """What is wrong with a committed shard's files, None if they are sound."""
    for path, sha256, rows in (
        (record.path, record.sha256, record.rows),
        (record.quarantine_path, record.quarantine_sha256, record.quarantined + record.rejected),
    ):
        if path is None:
            continue
        try:
            if count_shard_rows(out, path) != rows:
                return f"{path} has another number of rows than was committed"
            if check_digests and hash_stored_file(out, path) != sha256:
                return f"{path} is damaged"
            listed = list_shard_files(out, path)
        except FileNotFoundError:
            return f"{path} is gone"
        except (OSError, ValueError, pa.ArrowException) as error:
            return f"{path} cannot be read: {first_line(error)}"
        sizes = [facts.size_bytes for facts in out.stat(listed)]
        if min(sizes) < 0:
            return f"{listed[sizes.index(min(sizes))]} is gone"
        if path == record.path and sum(sizes) != record.size_bytes:
            return f"{path} has another size than was committed"
        if check_digests and (changed := find_changed_picture(out, path)):
            return f"{changed} is damaged"
    return None
