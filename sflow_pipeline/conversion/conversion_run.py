"""One run of a conversion: its steps, warnings and failed shards."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from typing import Any

from sflow_pipeline.addresses import redact_text
from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.dataset_card import describe_label_files, write_documents
from sflow_pipeline.conversion.engines.engine import Engine
from sflow_pipeline.conversion.gate.gate import GateFactory
from sflow_pipeline.conversion.gate.label_gate import build_gate_factory
from sflow_pipeline.conversion.gpu_remarks import list_gpu_remarks
from sflow_pipeline.conversion.job.backend import choose_translator
from sflow_pipeline.conversion.job.raw_columns import add_raw_columns
from sflow_pipeline.conversion.job.resolve_job import ResolvedJob, resolve_job
from sflow_pipeline.conversion.labels.census import LabelCensus, check_census, check_void, take_census
from sflow_pipeline.conversion.labels.counts import LabelCounts
from sflow_pipeline.conversion.labels.half_void import set_half_void_aside
from sflow_pipeline.conversion.painting.painter_factory import PainterFactory
from sflow_pipeline.conversion.painting.translator_factory import TranslatorFactory
from sflow_pipeline.conversion.plan.dataset_changes import compare_with_dataset
from sflow_pipeline.conversion.plan.plan import Plan, build_plan
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard.quarantine import is_over_limit, list_examples, write_left_out, write_reasons
from sflow_pipeline.conversion.source.source_index import SourceFrame
from sflow_pipeline.conversion.source.source_list import write_source_list
from sflow_pipeline.conversion.status.progress import Progress
from sflow_pipeline.conversion.status.run_status import StatusWriter
from sflow_pipeline.conversion.summary import Summary
from sflow_pipeline.errors import DumpError, OutputError
from sflow_pipeline.storage.commits import STATE_PATH, ShardRecord, compute_mean_edge_f1, load_commits, remove_commit
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.manifest import MANIFEST_PATH, REASONS_PATH, Manifest, check_ours
from sflow_pipeline.storage.run_lock import RunLock

_SHOWN_REASONS = 3
#: Files that are looked up at once.
_LOOKED_UP = 4096
#: Damaged files of the run's state are kept here for whoever wants to know what happened.
DAMAGED_PATH = f"{STATE_PATH}/damaged"


class ConversionRun:
    """One run of a job, step by step; `convert` calls the steps in order.

    Attributes:
        resolved: the job with bundle, dump and shards.
        is_writing: the run holds the lock of ``OUT_DIR``; damaged state is set aside only then.
    """

    def __init__(self, job: ConvertJob, progress: Progress, stack: ExitStack) -> None:
        self.progress = progress
        self.warnings: list[str] = []
        self.failed: list[str] = []
        self.out = Folder(job.out_dir)
        progress.on_step("reading the dump")
        self._engine = Engine(job, stack, progress.on_step)
        self.resolved: ResolvedJob = resolve_job(job, self._engine.find_device)
        if self.resolved.appearance.reason:
            progress.on_step(f"appearance {self.resolved.appearance.strength:g}: {self.resolved.appearance.reason}")
        if job.smooth is None and self.resolved.settings.smooth:
            progress.on_step("smooth 1: consecutive frames are blended along the dump's flow; --smooth 0 does not")
        self.job = job
        self.workers = 1
        self.is_writing = False
        self._said: set[str] = set()
        for warning in self.resolved.warnings:
            self.warn(warning)

    def warn(self, text: str) -> None:
        text = redact_text(text)
        self.warnings.append(text)
        self.progress.on_warning(text)

    def set_aside(self, path: str) -> None:
        """Put a damaged file of the run's state where nothing reads it; it is made again."""
        if self.is_writing:
            self.warn(f"{path} was damaged; it is made again, and kept as {self.out.set_aside(path, DAMAGED_PATH)}")

    def check_labels(self) -> LabelCensus:
        census = take_census(
            self.resolved.groups,
            self.resolved.settings,
            self.out,
            keep=self.is_writing,
            on_damaged=self.set_aside,
            count=self._count_labels,
            on_counted=lambda done, total: self.progress.on_count(done, total, "labels"),
        )
        for check in (check_census, check_void):
            warning = check(census, self.resolved.settings)
            if warning:
                self.warn(warning)
        if census.inexact:
            self.resolved = add_raw_columns(self.resolved, census.inexact)
        if self.job.max_frame_void is None and census.void_shares is not None:
            tasks = set_half_void_aside(self.resolved.tasks, census.void_shares)
            self.resolved = replace(self.resolved, tasks=tasks)
        return replace(census, void_shares=None)

    def _count_labels(
        self, groups: Sequence[Sequence[SourceFrame]], settings: ConversionSettings
    ) -> Iterator[LabelCounts]:
        if self.is_writing:
            self._engine.prepare(settings, self.resolved.tasks, sum(map(len, groups)))
        self.progress.on_step("checking every label's class ids")
        return self._engine.count_labels(groups, settings)

    def plan(self) -> Plan:
        self.progress.on_step("comparing with finished shards")
        check_ours(self.out)
        plan = build_plan(
            self.resolved.tasks,
            load_commits(self.out, self.set_aside),
            self.out,
            self.resolved.settings.source,
            settings_fingerprint=self.resolved.settings.fingerprint,
            resume=self.job.resume,
            check_digests=self.job.content_hash,
        )
        plan = compare_with_dataset(plan, self.resolved)
        self.progress.on_plan(plan)
        return plan

    def check_space(self, plan: Plan) -> None:
        free = self.out.free_bytes()
        needed = sum(task.estimated_bytes for task in plan.tasks)
        if free is None or needed <= free:
            return
        text = f"{self.out.uri}: {free / 1e6:,.0f} MB free, the dataset may take up to {needed / 1e6:,.0f} MB"
        if needed > 4 * free:  # the estimate is of noise; real frames take a third of it
            raise OutputError(text, hint="free some space, choose another folder, or leave columns out with --include")
        self.warn(text)

    def convert_shards(
        self,
        plan: Plan,
        lock: RunLock,
        build_translator: TranslatorFactory | None,
        build_gate: GateFactory | None,
    ) -> None:
        tasks = plan.tasks
        if not tasks:
            return
        settings = self.resolved.settings
        if self.job.format == "png" and plan.count("redo"):
            # Pictures of a tree are replaced one by one: until all are, it is neither the old dataset nor the new one.
            self.out.remove(MANIFEST_PATH)
        self.workers = self._engine.choose_workers(settings, tasks)
        bad, frames = sum(record.quarantined for record in plan.kept), plan.frames
        self.progress.on_engine(self.workers, settings.device, settings.precision)
        if build_translator is None:
            build_translator = choose_translator(self.job, self.resolved.bundle, settings)
        if build_gate is None:
            build_gate = build_gate_factory(settings, self.resolved.bundle)
        build_painter = PainterFactory(settings, build_translator, build_gate)
        for record in self._engine.convert(
            tasks,
            settings,
            build_painter,
            lock,
            self.workers,
            on_ready=lambda ready: self._note_ready(ready, min(self.workers, len(tasks))),
            on_frames=self.progress.on_frames,
            on_failed=self._note_failed,
            on_warning=self._note_retry,
        ):
            bad += record.quarantined
            self.progress.on_shard(record)
            self._note_gpu(record)
            self._check_bad(bad, frames)

    def _note_ready(self, ready: int, workers: int) -> None:
        """So many of the workers have loaded the networks."""
        self.progress.on_step("converting")
        self.progress.on_count(min(ready, workers), workers, "workers ready")

    def _note_failed(self, failed: Any) -> None:
        self.failed.append(failed.task.shard_id)
        self.warn(
            f"shard {failed.task.shard_id} ({len(failed.task.frames)} frames) could not be converted: {failed.message}"
        )

    def _note_retry(self, text: str) -> None:
        if isinstance(self.progress, StatusWriter):
            self.progress.on_retry()
        self.warn(text)

    def _note_gpu(self, record: ShardRecord) -> None:
        for subject, text in list_gpu_remarks(record, self.resolved.settings.batch_size).items():
            if subject not in self._said:
                self._said.add(subject)
                self.warn(text)

    def _check_bad(self, bad: int, frames: int) -> None:
        limit = self.job.max_bad_fraction
        if is_over_limit(bad, frames, limit):
            write_reasons(self.out, list(load_commits(self.out).values()), None)
            raise DumpError(
                f"{bad} of {frames} frames cannot be converted, over max_bad_fraction {limit:g}{self._list_reasons()}",
                hint=f"see {self.out.uri}/{REASONS_PATH} for each frame's reason"
                + ("; allow more with --max-bad-fraction" if bad < frames else ""),
                fields=("max_bad_fraction",),
            )

    def _list_reasons(self) -> str:
        """The first frames that were left out, and why."""
        records = [record for record in load_commits(self.out).values() if record.quarantined]
        found = [
            f"{frame.reason}: {frame.message}" for frame in islice(list_examples(self.out, records), _SHOWN_REASONS)
        ]
        return ": " + "; ".join(found) if found else ""

    def finish(self, plan: Plan, census: LabelCensus, lock: RunLock, started: float) -> Summary:
        records = self._read_records()
        self._check_bad(sum(record.quarantined for record in records), plan.frames)
        self.progress.on_step("writing manifest and card")
        left_out = write_left_out(self.out, self.resolved.dump)
        lock.check()
        manifest = None if self.failed else write_documents(self.out, self.resolved, records, census, left_out)
        lock.check()
        for record in plan.removed:
            remove_commit(self.out, record)
        if manifest is not None:
            write_source_list(self.out, self.resolved.index)
            self._remove_orphans(manifest)
        reasons: Counter[str] = Counter()
        for record in records:
            reasons.update(record.reasons)
        quarantined = sum(reasons.values())
        reasons.update(left_out.reasons if left_out else {})
        done = {task.shard_id for task in plan.tasks} - set(self.failed)
        return Summary(
            out_dir=self.out.uri,
            frames=sum(record.frames for record in records),
            rows=sum(record.rows for record in records),
            frames_converted=sum(record.frames - record.quarantined for record in records if record.shard_id in done),
            shards_converted=len(done),
            shards_kept=plan.count("keep"),
            shards_removed=len(plan.removed),
            quarantined=quarantined,
            rejected=sum(record.rejected for record in records),
            left_out=left_out.files if left_out else 0,
            reasons=dict(reasons.most_common()),
            examples=tuple(list_examples(self.out, records)),
            failed_shards=tuple(self.failed),
            label_is_resized=self.resolved.label_is_resized,
            label_files=describe_label_files(self.resolved),
            edge_f1_mean=compute_mean_edge_f1(records),
            workers=self.workers,
            device=self.resolved.settings.device,
            precision=self.resolved.settings.precision,
            smooth=self.resolved.settings.smooth,
            duration_s=time.monotonic() - started,
            warnings=tuple(self.warnings),
        )

    def _read_records(self) -> list[ShardRecord]:
        """The records of every shard but those that failed, as they are on disk at the end.

        Raises:
            OutputError: some are gone, or another run wrote them with other settings.
        """
        commits = load_commits(self.out)
        tasks = [task for task in self.resolved.tasks if task.shard_id not in self.failed]
        gone = [task.shard_id for task in tasks if task.shard_id not in commits]
        other = [task.shard_id for task in tasks if commits.get(task.shard_id, task).fingerprint != task.fingerprint]
        if other:
            raise OutputError(
                f"{self.out.uri}: {len(other)} shards were replaced by a run with other settings, first {other[0]}",
                hint="one output folder takes one run at a time: wait for the other one, or choose another folder",
            )
        records = [commits[task.shard_id] for task in tasks if task.shard_id in commits]
        paths = [path for record in records for path in (record.path, record.quarantine_path) if path]
        for first in range(0, len(paths), _LOOKED_UP):
            some = paths[first : first + _LOOKED_UP]
            gone += [path for path, facts in zip(some, self.out.stat(some), strict=True) if facts.size_bytes < 0]
        if gone:
            raise OutputError(
                f"{self.out.uri}: {len(gone)} shards or files vanished while the run wrote them, first {gone[0]}",
                hint="run the same command again; what is still there is kept",
            )
        return records

    def _remove_orphans(self, manifest: Manifest) -> None:
        """Remove data files that the manifest does not name: replaced or removed shards, remains of killed runs."""
        try:
            named = manifest.list_files(self.out)
        except (OSError, ValueError) as error:  # a list that cannot be read names files, too
            self.warn(f"nothing was removed from {self.out.uri}: a list of pictures cannot be read: {error}")
            return
        for path in (*self.out.list_files("data"), *self.out.list_files("quarantine")):
            if path not in named:
                self.out.remove(path)
