"""Status of a running conversion in its output folder, so that any machine can read it; kept where the run failed."""

import contextlib
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from sflow_pipeline.addresses import redact_text
from sflow_pipeline.conversion.plan.plan import Plan
from sflow_pipeline.conversion.status.metrics_text import format_metrics
from sflow_pipeline.conversion.status.progress import Progress
from sflow_pipeline.errors import SflowError
from sflow_pipeline.storage.canonical_json import encode_json
from sflow_pipeline.storage.commits import STATE_PATH, ShardRecord
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.process_identity import host_name, is_process_alive
from sflow_pipeline.storage.write_whole import write_whole

STATUS_PATH = f"{STATE_PATH}/status.json"
#: Seconds between writes.
WRITE_EVERY_S = 5.0
#: A run of another machine that did not write for so long has ended without a word.
_SILENT_AFTER_S = 60.0

State = Literal["running", "finished", "failed", "stopped", "dead"]


@dataclass(frozen=True)
class RunStatus:
    """A conversion as it is now, or as it ended.

    Attributes:
        state: ``running``, ``finished``, ``failed``, ``stopped`` (by a signal) or ``dead`` (ended without a word).
        step: what it does.
        host, pid: the driver's machine and process.
        started_s, updated_s: seconds since 1970.
        frames, frames_total: done and to be done, unchanged ones included.
        shards, shards_total: the same.
        frames_per_s: since the first frame; None before.
        left_s: seconds left; None where unknown.
        retries: shards that were tried again because their worker died.
        quarantined, rejected: frames that could not be converted, images that the gate left out.
        reasons: reason -> quarantined frames.
        workers, device: who works.
        warnings: number of warnings; ``last_warning``: the latest.
        error: why it failed.
    """

    state: State = "running"
    step: str = "starting"
    host: str = ""
    pid: int = 0
    started_s: float = 0.0
    updated_s: float = 0.0
    frames: int = 0
    frames_total: int = 0
    shards: int = 0
    shards_total: int = 0
    frames_per_s: float | None = None
    left_s: float | None = None
    retries: int = 0
    quarantined: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    workers: int = 0
    device: str = ""
    warnings: int = 0
    last_warning: str = ""
    error: str = ""


class StatusWriter:
    """Collects a run's events and forwards them; between ``writing`` and its end it writes them every few seconds.

    Args:
        progress: receives every event.
        metrics_file: local file for Prometheus' text format, None for none.
    """

    def __init__(self, progress: Progress, metrics_file: str | None = None) -> None:
        self._progress = progress
        self._metrics_file = metrics_file
        now = time.time()
        self._status = RunStatus(host=host_name(), pid=os.getpid(), started_s=now, updated_s=now)
        self._kept = self._converted = 0
        self._step = self._status.step
        self._reasons: Counter[str] = Counter()
        self._engine_started_s: float | None = None
        self._stopped = threading.Event()
        self._check_lock: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def writing(self, out: Folder, check_lock: Callable[[], None]) -> Iterator[None]:
        """Write the status to ``out`` until the end of the block; remove it where that ends well.

        ``check_lock`` raises where the run has lost the folder: what stands there then is another run's.
        """
        self._check_lock = check_lock
        thread = threading.Thread(target=self._run, args=(out,), name="sflow-status", daemon=True)
        if (problem := self._write(out)) is not None:
            self.on_warning(f"metrics_file {problem}")
        thread.start()
        try:
            yield
        except BaseException as error:
            is_signal = isinstance(error, KeyboardInterrupt)
            self._end(thread, "stopped" if is_signal else "failed", "" if is_signal else redact_text(str(error)))
            self._write(out)
            raise
        self._end(thread, "finished", "")
        self._write_metrics(out)
        with contextlib.suppress(SflowError):
            check_lock()
            out.remove(STATUS_PATH)

    def on_step(self, text: str) -> None:
        self._change(step=text)
        self._step = text
        self._progress.on_step(text)

    def on_count(self, done: int, total: int, unit: str) -> None:
        self._change(step=f"{self._step}: {done} of {total} {unit}")
        self._progress.on_count(done, total, unit)

    def on_warning(self, text: str) -> None:
        self._change(warnings=self._status.warnings + 1, last_warning=text)
        self._progress.on_warning(text)

    def on_retry(self) -> None:
        """A shard is tried again."""
        self._change(retries=self._status.retries + 1)

    def on_plan(self, plan: Plan) -> None:
        self._kept = plan.frames - plan.frames_to_convert
        for record in plan.kept:
            self._count(record)
        self._change(frames=self._kept, frames_total=plan.frames, shards=len(plan.kept), shards_total=len(plan.shards))
        self._progress.on_plan(plan)

    def on_engine(self, workers: int, device: str, precision: str) -> None:
        self._engine_started_s = time.monotonic()
        self._change(workers=workers, device=f"{device} {precision}")
        self._progress.on_engine(workers, device, precision)

    def on_frames(self, frames: int) -> None:
        self._converted += frames
        total = self._status.frames_total
        done = min(self._kept + self._converted, total)  # frames of a shard that is tried again come twice
        elapsed = time.monotonic() - (self._engine_started_s or time.monotonic())
        rate = self._converted / elapsed if elapsed > 0 and self._converted else None
        self._change(frames=done, frames_per_s=rate, left_s=(total - done) / rate if rate else None)
        self._progress.on_frames(frames)

    def on_shard(self, record: ShardRecord) -> None:
        self._count(record)
        self._change(shards=self._status.shards + 1)
        self._progress.on_shard(record)

    def _count(self, record: ShardRecord) -> None:
        self._reasons.update(record.reasons)
        self._change(
            quarantined=self._status.quarantined + record.quarantined,
            rejected=self._status.rejected + record.rejected,
            reasons=dict(self._reasons.most_common()),
        )

    def _change(self, **fields: Any) -> None:
        self._status = replace(self._status, **fields)

    def _end(self, thread: threading.Thread, state: State, error: str) -> None:
        self._stopped.set()
        thread.join()
        self._change(state=state, error=error, left_s=None)

    def _run(self, out: Folder) -> None:
        while not self._stopped.wait(WRITE_EVERY_S):
            self._write(out)

    def _write(self, out: Folder) -> SflowError | None:
        """Write both; what is wrong with the metrics. A full disk is reported by the shard that meets it."""
        status = replace(self._status, updated_s=time.time())
        with contextlib.suppress(SflowError):
            self._check_lock()
            out.write_bytes(STATUS_PATH, encode_json(asdict(status)))
        return self._write_metrics(out)

    def _write_metrics(self, out: Folder) -> SflowError | None:
        """Write the metrics; what went wrong, which does not stop the run."""
        if self._metrics_file is None:
            return None
        status = replace(self._status, updated_s=time.time())
        try:
            write_whole(Path(self._metrics_file), format_metrics(asdict(status), out.uri).encode())
        except SflowError as error:
            return error
        return None


def read_run_status(out: Folder, now: Callable[[], float] = time.time) -> RunStatus | None:
    """The status of the run that writes ``out``, or of the last one where it failed; None after a run that ended well.

    A run counts as dead where its process is gone, or, on another machine, after a minute without a word.
    """
    try:
        content = json.loads(out.read_bytes(STATUS_PATH))
        status: RunStatus = TypeAdapter(RunStatus).validate_python(content)
    except (OSError, ValueError, RecursionError):
        return None
    if status.state != "running":
        return status
    is_here = status.host == host_name()
    is_dead = not is_process_alive(status.pid) if is_here else now() - status.updated_s > _SILENT_AFTER_S
    return replace(status, state="dead") if is_dead else status
