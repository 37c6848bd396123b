"""Conversion of shards on Ray actors, on this machine or a cluster.

The driver does all retries (actors never restart by themselves): a shard whose worker died gets a new worker; if that
dies too, the shard is bisected to the frame that crashes workers, and runs again without that frame, under the same
name. A worker whose node is gone says nothing about its shard. Ray transfers paths and ids, weights and label tables
once through the object store, and no pixels but those between GPU workers and their helpers.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError, RayError, RayTaskError

from sflow_pipeline.conversion.engines.on_ray.failures import describe_cluster_failure, find_cause, is_node_lost
from sflow_pipeline.conversion.engines.on_ray.metrics import RayMetrics
from sflow_pipeline.conversion.engines.on_ray.progress import FrameCounter
from sflow_pipeline.conversion.engines.on_ray.worker_pool import LockCheck, WorkerPool
from sflow_pipeline.conversion.job.device_facts import DeviceFacts, find_device
from sflow_pipeline.conversion.motion.shard_neighbours import NO_NEIGHBOURS
from sflow_pipeline.conversion.painting.painter_factory import PainterFactory
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard_task import SetAside, ShardTask
from sflow_pipeline.ray_cluster import ClusterFacts
from sflow_pipeline.storage.commits import ShardRecord

_WORKER_DIED = (RayActorError, OutOfMemoryError, ObjectLostError)
_POLL_S = 0.5

#: Workers that a shard may end before its frames are suspected, and nodes that may go meanwhile without a suspicion.
_MOST_DEATHS = 2
_MOST_LOST_NODES = 10


@dataclass(frozen=True)
class FailedShard:
    """A shard that repeatedly crashes workers, with no single frame responsible."""

    task: ShardTask
    message: str


def find_device_of_workers(device: str, precision: str, facts: ClusterFacts) -> DeviceFacts:
    """The concrete device of a cluster's workers, which may differ from the driver's."""
    gpus = 1 if device.startswith("cuda") or (device == "auto" and facts.gpus) else 0
    task = ray.remote(find_device).options(num_cpus=0, num_gpus=gpus)
    try:
        resolved: DeviceFacts = ray.get(task.remote(device, precision))
    except RayTaskError as error:
        raise find_cause(error) from error
    except RayError as error:
        raise describe_cluster_failure(error) from error
    return resolved


def run_on_ray(
    tasks: Sequence[ShardTask],
    settings: ConversionSettings,
    build_painter: PainterFactory,
    on_frames: Callable[[int], None],
    *,
    workers: int,
    cpus: int,
    check_lock: LockCheck,
    on_failed: Callable[[FailedShard], None],
    on_warning: Callable[[str], None],
    on_ready: Callable[[int], None] = lambda _workers: None,
) -> Iterator[ShardRecord]:
    """Convert shards, yielding each record once it is committed; Ray must be connected.

    Args:
        tasks, settings, build_painter: what is converted, how, and by what.
        on_frames: gets the number of frames that went through workers, now and then.
        workers: most of them at a time; those without a place wait, so that a cluster that grows by need sees it.
        cpus: of the cluster; what GPU workers leave of them helps them. 0 where it grows.
        check_lock: raises where the run has lost its folder; picklable.
        on_failed: gets shards that crash every worker.
        on_warning: gets sentences.
        on_ready: gets the number of workers that have started, whenever it rises.

    Raises:
        SflowError: workers cannot start, or one raised an error that is not about a frame.
    """
    pool = WorkerPool(settings, build_painter, check_lock, workers=workers, cpus=cpus)
    queue = deque(_Try(task) for task in tasks)
    running: dict[Any, tuple[Any, _Try]] = {}
    searching: set[Future[ShardTask | FailedShard]] = set()
    idle: list[Any] = []
    metrics = RayMetrics(settings.out.uri)

    def note_frames(frames: int) -> None:
        metrics.record("sflow_frames", frames)
        on_frames(frames)

    def note_ready(ready: int) -> None:
        metrics.record("sflow_workers_ready", ready)
        on_ready(ready)

    counter = FrameCounter(note_frames, note_ready)
    with ThreadPoolExecutor(workers, "sflow-search") as searchers:
        try:
            while queue or running or searching:
                while queue and len(running) + len(searching) < workers:
                    attempt = queue.popleft()
                    if idle and attempt.is_suspect:  # on a fresh worker, which may need the place of an idle one
                        pool.stop(idle.pop())
                    worker = idle.pop() if idle and not attempt.is_suspect else pool.start()
                    running[worker.convert.remote(attempt.task)] = (worker, attempt)
                metrics.record("sflow_shards_waiting", len(queue))
                metrics.record("sflow_shards_running", len(running) + len(searching))
                done, _ = ray.wait(list(running), timeout=_POLL_S) if running else ([], [])
                counter.ask(worker for worker, _attempt in running.values())
                for reference in done:
                    worker, attempt = running.pop(reference)
                    try:
                        record: ShardRecord = ray.get(reference)
                    except RayTaskError as error:
                        raise find_cause(error) from error
                    except _WORKER_DIED as error:
                        pool.stop(worker)
                        pool.check_start(error)
                        on_warning(f"shard {attempt.task.shard_id}: {attempt.note_death(error)}")
                        metrics.record("sflow_retries", 1, cause="node" if is_node_lost(error) else "worker")
                        if attempt.deaths < _MOST_DEATHS:
                            queue.appendleft(attempt)
                        else:
                            searching.add(searchers.submit(_isolate, pool, attempt.task))
                        continue
                    pool.has_worked = True
                    counter.finish(worker, len(attempt.task.frames))
                    if queue:
                        idle.append(worker)
                    else:  # where nodes were lost, another worker may be waiting for its place
                        pool.stop(worker)
                    metrics.record_shard(record)
                    yield record
                for future in [future for future in searching if future.done()]:
                    searching.remove(future)
                    outcome = future.result()
                    if isinstance(outcome, FailedShard):
                        metrics.record("sflow_shards", 1, outcome="failed")
                        on_failed(outcome)
                    else:
                        queue.appendleft(_Try(outcome))
                if not running and searching:
                    next(iter(searching)).exception(timeout=None)
        except RayError as error:
            raise describe_cluster_failure(error) from error
        finally:
            metrics.record("sflow_shards_waiting", 0)
            metrics.record("sflow_shards_running", 0)
            pool.close()


@dataclass(slots=True)
class _Try:
    """A shard to convert, and what became of the workers that tried.

    Attributes:
        task: the shard.
        deaths: workers that died of it, as far as anybody knows.
        lost_nodes: nodes that went while they had it, as machines do that are lent for a time.
    """

    task: ShardTask
    deaths: int = 0
    lost_nodes: int = 0

    @property
    def is_suspect(self) -> bool:
        return self.deaths > 0

    def note_death(self, error: Exception) -> str:
        """Count the death of a worker; a sentence about it."""
        if is_node_lost(error) and self.lost_nodes < _MOST_LOST_NODES:
            self.lost_nodes += 1
            return "the node of its worker is gone; trying again on another one"
        self.deaths += 1
        if self.deaths < _MOST_DEATHS:
            return "its worker died; trying again on another worker"
        return "its worker died twice; searching for the frame that causes it"


def _isolate(pool: WorkerPool, task: ShardTask) -> ShardTask | FailedShard:
    """Bisect a shard to the one frame that crashes its worker; the shard without that frame."""
    suspects = [frame for frame in task.read_frames if frame.ref.sample_id not in task.set_aside]
    while len(suspects) > 1:
        half = suspects[: len(suspects) // 2]
        # If the first half passes, the second is suspected; the check below covers a shard that no longer crashes.
        suspects = half if _kills(pool, replace(task, frames=half)) else suspects[len(half) :]
    if not suspects or not _kills(pool, replace(task, frames=suspects)):
        return FailedShard(task, "its worker died twice, but no single frame causes it; perhaps it ran out of memory")
    culprit = suspects[0].ref
    message = f"{culprit.source}: converting this frame ends its worker process"
    why = SetAside("killed_worker", message, "look at the file; it is left out until it changes")
    return replace(task, set_aside={**task.set_aside, culprit.sample_id: why})


def _kills(pool: WorkerPool, task: ShardTask) -> bool:
    for _ in range(1 + _MOST_LOST_NODES):
        worker = pool.start()
        try:
            ray.get(worker.try_frames.remote(replace(task, samples={}, neighbours=NO_NEIGHBOURS)))
        except RayTaskError as error:
            raise find_cause(error) from error
        except _WORKER_DIED as error:
            if not is_node_lost(error):
                return True
        else:
            return False
        finally:
            pool.stop(worker)
    return True
