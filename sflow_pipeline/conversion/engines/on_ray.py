"""Conversion of shards on Ray actors, on this machine or a cluster.

The driver does all retries (actors never restart by themselves): a shard whose worker died gets a new worker; if that
dies too, the shard is bisected to the frame that crashes workers, and runs again without that frame, under the same
name. Ray transfers paths and ids, weights and label tables once through the object store, and no pixels.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, ObjectLostError, OutOfMemoryError, RayActorError, RayError, RayTaskError

from sflow_pipeline.conversion.device_facts import DeviceFacts, find_device
from sflow_pipeline.conversion.engines.memory_reuse import reuse_memory
from sflow_pipeline.conversion.engines.threads import limit_threads
from sflow_pipeline.conversion.paint import PainterFactory
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard import convert_frames, convert_shard
from sflow_pipeline.conversion.shard_task import SetAside, ShardTask
from sflow_pipeline.errors import SflowError, first_line
from sflow_pipeline.ray_cluster import ClusterFacts
from sflow_pipeline.storage.commits import ShardRecord
from sflow_pipeline.untrusted.limits import Limits, apply_limits, read_limits

_WORKER_DIED = (RayActorError, OutOfMemoryError, ObjectLostError)
_POLL_S = 0.5

#: Raises where the run has lost its folder; picklable.
LockCheck = Callable[[], None]


@dataclass(frozen=True)
class FailedShard:
    """A shard that repeatedly crashes workers, with no single frame responsible."""

    task: ShardTask
    message: str


class _ShardWorker:
    """Actor that converts shards in one thread and reports its progress in another."""

    def __init__(
        self, settings: ConversionSettings, build_painter: PainterFactory, limits: Limits, check_lock: LockCheck
    ) -> None:
        limit_threads()
        reuse_memory()
        apply_limits(limits)
        self._check_lock = check_lock
        self._settings = settings
        self._painter = build_painter()
        self._frames = 0

    def _count(self) -> None:
        self._frames += 1

    def count_frames(self) -> int:
        """Frames that went through this worker so far."""
        return self._frames

    def convert(self, task: ShardTask) -> ShardRecord:
        """See ``convert_shard``."""
        limit_threads()  # OpenMP counts per calling thread, and Ray calls from one of its own
        return convert_shard(task, self._settings, self._painter, self._count, self._check_lock)

    def try_frames(self, task: ShardTask) -> None:
        """Convert frames without writing them."""
        limit_threads()
        for _result in convert_frames(task, self._settings, self._painter):
            pass


def find_device_of_workers(device: str, precision: str, facts: ClusterFacts) -> DeviceFacts:
    """The concrete device of a cluster's workers, which may differ from the driver's."""
    gpus = 1 if device.startswith("cuda") or (device == "auto" and facts.gpus) else 0
    task = ray.remote(find_device).options(num_cpus=0, num_gpus=gpus)
    try:
        resolved: DeviceFacts = ray.get(task.remote(device, precision))
    except RayTaskError as error:
        raise _find_cause(error) from error
    except RayError as error:
        raise _describe_cluster_failure(error) from error
    return resolved


def run_on_ray(
    tasks: Sequence[ShardTask],
    settings: ConversionSettings,
    build_painter: PainterFactory,
    on_frames: Callable[[int], None],
    *,
    workers: int,
    check_lock: LockCheck,
    on_failed: Callable[[FailedShard], None],
    on_warning: Callable[[str], None],
) -> Iterator[ShardRecord]:
    """Convert shards, yielding each record once it is committed; Ray must be connected.

    Raises:
        SflowError: workers cannot start, or one raised an error that is not about a frame.
    """
    pool = _Pool(settings, build_painter, check_lock)
    queue = deque((task, 1) for task in tasks)
    running: dict[Any, tuple[Any, ShardTask, int]] = {}
    searching: dict[Future[ShardTask | FailedShard], ShardTask] = {}
    idle: list[Any] = []
    counted: dict[Any, int] = {}
    with ThreadPoolExecutor(workers, "sflow-search") as searchers:
        try:
            while queue or running or searching:
                while queue and len(running) + len(searching) < workers:
                    task, attempt = queue.popleft()
                    if idle and attempt > 1:  # on a fresh worker, which may need the place of an idle one
                        pool.stop(idle.pop())
                    worker = idle.pop() if idle and attempt == 1 else pool.start()
                    running[worker.convert.remote(task)] = (worker, task, attempt)
                done, _ = ray.wait(list(running), timeout=_POLL_S) if running else ([], [])
                _report_progress([worker for worker, _task, _attempt in running.values()], counted, on_frames)
                for reference in done:
                    worker, task, attempt = running.pop(reference)
                    try:
                        record: ShardRecord = ray.get(reference)
                    except RayTaskError as error:
                        raise _find_cause(error) from error
                    except _WORKER_DIED as error:
                        pool.stop(worker)
                        pool.check_start(error)
                        if attempt == 1:
                            on_warning(f"shard {task.shard_id}: its worker died; trying again on another worker")
                            queue.appendleft((task, 2))
                        else:
                            on_warning(
                                f"shard {task.shard_id}: its worker died twice; searching for the frame that causes it"
                            )
                            searching[searchers.submit(_isolate, pool, task)] = task
                        continue
                    pool.has_worked = True
                    if queue:
                        idle.append(worker)
                    else:  # where nodes were lost, another worker may be waiting for its place
                        pool.stop(worker)
                    yield record
                for future in [future for future in searching if future.done()]:
                    del searching[future]
                    outcome = future.result()
                    if isinstance(outcome, FailedShard):
                        on_failed(outcome)
                    else:
                        queue.appendleft((outcome, 1))
                if not running and searching:
                    next(iter(searching)).exception(timeout=None)
        except RayError as error:
            raise _describe_cluster_failure(error) from error
        finally:
            pool.close()


class _Pool:
    """Starts workers and stops all of them at the end."""

    def __init__(self, settings: ConversionSettings, build_painter: PainterFactory, check_lock: LockCheck) -> None:
        gpus = 1 if settings.device.startswith("cuda") else 0
        options = {"num_cpus": 1, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0, "max_concurrency": 2}
        self._actor = ray.remote(_ShardWorker).options(**options)
        self._settings = ray.put(settings)
        self._build_painter = ray.put(build_painter)
        self._check_lock = check_lock
        self._workers: list[Any] = []
        self._is_closed = False
        self.has_worked = False

    def start(self) -> Any:
        worker = self._actor.remote(self._settings, self._build_painter, read_limits(), self._check_lock)
        self._workers.append(worker)
        if self._is_closed:
            self.stop(worker)
        return worker

    def stop(self, worker: Any) -> None:
        with suppress(ValueError):
            self._workers.remove(worker)
        with suppress(Exception):  # already dead
            ray.kill(worker)

    def check_start(self, error: Exception) -> None:
        """Raise if a worker's constructor failed: it would fail on every shard."""
        if not self.has_worked and "creation task" in str(error):
            text = " ".join(str(error).split())
            raise SflowError(
                f"workers cannot start: {text[-400:]}", hint="check that workers have the same packages as this machine"
            ) from error

    def close(self) -> None:
        self._is_closed = True
        for worker in list(self._workers):
            self.stop(worker)


def _isolate(pool: _Pool, task: ShardTask) -> ShardTask | FailedShard:
    """Bisect a shard to the one frame that crashes its worker; the shard without that frame."""
    suspects = [frame for frame in task.frames if frame.ref.sample_id not in task.set_aside]
    while len(suspects) > 1:
        half = suspects[: len(suspects) // 2]
        # If the first half passes, the second is suspected; the check below covers a shard that no longer crashes.
        suspects = half if _kills(pool, replace(task, frames=half)) else suspects[len(half) :]
    if not suspects or not _kills(pool, replace(task, frames=suspects)):
        return FailedShard(task, "its worker died twice, but no single frame causes it; perhaps it ran out of memory")
    culprit = suspects[0].ref
    message = f"{culprit.render}: converting this frame ends its worker process"
    why = SetAside("killed_worker", message, "look at the file; it is left out until it changes")
    return replace(task, set_aside={**task.set_aside, culprit.sample_id: why})


def _kills(pool: _Pool, task: ShardTask) -> bool:
    worker = pool.start()
    try:
        ray.get(worker.try_frames.remote(replace(task, samples={})))
    except RayTaskError as error:
        raise _find_cause(error) from error
    except _WORKER_DIED:
        return True
    finally:
        pool.stop(worker)
    return False


def _report_progress(workers: list[Any], counted: dict[Any, int], on_frames: Callable[[int], None]) -> None:
    for worker in workers:
        try:
            total = ray.get(worker.count_frames.remote(), timeout=0.2)
        except (*_WORKER_DIED, GetTimeoutError):
            continue  # starting, busy or dead; the shard's result is awaited elsewhere
        on_frames(total - counted.get(worker, 0))
        counted[worker] = total


def _describe_cluster_failure(error: RayError) -> SflowError:
    return SflowError(
        f"the Ray cluster failed: {first_line(error)}",
        hint="run the same command again when it is back; finished shards are kept",
    )


def _find_cause(error: RayTaskError) -> Exception:
    """The error as it was raised in the worker."""
    cause = error.cause
    return (
        cause if isinstance(cause, SflowError) else SflowError(f"a worker failed: {cause!r}", hint="please report this")
    )
