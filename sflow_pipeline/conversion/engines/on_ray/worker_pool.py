"""Workers of a run on Ray: actors with a core, and a GPU where frames are painted on one."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import ray

from sflow_pipeline.conversion.engines.memory_reuse import reuse_memory
from sflow_pipeline.conversion.engines.on_ray.helpers import RayHelpers, count_helpers, count_own_helpers, start_helpers
from sflow_pipeline.conversion.engines.on_ray.metrics import RayMetrics
from sflow_pipeline.conversion.engines.threads import limit_threads
from sflow_pipeline.conversion.painting.painter_factory import PainterFactory
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard.shard import convert_frames, convert_shard
from sflow_pipeline.conversion.shard_task import ShardTask
from sflow_pipeline.errors import SflowError
from sflow_pipeline.storage.commits import ShardRecord
from sflow_pipeline.untrusted.limits import Limits, apply_limits, read_limits

#: Raises where the run has lost its folder; picklable.
LockCheck = Callable[[], None]


class ShardWorker:
    """Actor that converts shards in one thread and reports its progress in another."""

    def __init__(
        self,
        settings: ConversionSettings,
        build_painter: PainterFactory,
        limits: Limits,
        check_lock: LockCheck,
        helpers: Sequence[Any],
        share: int,
    ) -> None:
        limit_threads()
        reuse_memory()
        apply_limits(limits)
        self._check_lock = check_lock
        self._settings = settings
        self._painter = build_painter()
        self._second = build_painter.build_second(self._painter)
        if not helpers and settings.device.startswith("cuda"):
            share = count_own_helpers()
            helpers = start_helpers(ray.put(settings), limits, share) if share else []  # they end with this worker
        self._helpers = RayHelpers(helpers, settings, share) if helpers else None
        self._metrics = RayMetrics(settings.out.uri)
        self._frames = 0

    def _count(self) -> None:
        self._frames += 1

    def count_frames(self) -> int:
        """Frames that went through this worker so far."""
        return self._frames

    def convert(self, task: ShardTask) -> ShardRecord:
        """See ``convert_shard``."""
        limit_threads()  # OpenMP counts per calling thread, and Ray calls from one of its own
        on_stage = self._metrics.record_stage
        return convert_shard(
            task,
            self._settings,
            self._painter,
            self._count,
            self._check_lock,
            self._helpers,
            on_stage,
            second=self._second,
        )

    def try_frames(self, task: ShardTask) -> None:
        """Convert frames without writing them."""
        limit_threads()
        for _result in convert_frames(task, self._settings, self._painter):
            pass


class WorkerPool:
    """Starts workers and their helpers, and stops all of them at the end.

    Args:
        settings, build_painter: of the run.
        check_lock: raises where the run has lost its folder.
        workers: how many there will be.
        cpus: of the cluster; 0 where it grows: each worker then has the helpers that its node has cores for.
    """

    def __init__(
        self,
        settings: ConversionSettings,
        build_painter: PainterFactory,
        check_lock: LockCheck,
        *,
        workers: int,
        cpus: int,
    ) -> None:
        has_gpu = settings.device.startswith("cuda")
        options = {"num_cpus": 1, "num_gpus": int(has_gpu), "max_restarts": 0, "max_task_retries": 0}
        self._actor = ray.remote(ShardWorker).options(**options, max_concurrency=2)
        self._settings = ray.put(settings)
        self._build_painter = ray.put(build_painter)
        self._check_lock = check_lock
        self._share = max(1, count_helpers(cpus, workers) // workers)
        count = count_helpers(cpus, workers) if has_gpu else 0
        self._helpers = start_helpers(self._settings, read_limits(), count)
        self._workers: list[Any] = []
        self._is_closed = False
        self.has_worked = False

    def start(self) -> Any:
        """A further worker; it may have to wait for its place."""
        worker = self._actor.remote(
            self._settings, self._build_painter, read_limits(), self._check_lock, self._helpers, self._share
        )
        self._workers.append(worker)
        if self._is_closed:
            self.stop(worker)
        return worker

    def stop(self, worker: Any) -> None:
        """Stop a worker."""
        with suppress(ValueError):
            self._workers.remove(worker)
        _kill(worker)

    def check_start(self, error: Exception) -> None:
        """Raise if a worker's constructor failed: it would fail on every shard.

        Raises:
            SflowError: it did.
        """
        if not self.has_worked and "creation task" in str(error):
            text = " ".join(str(error).split())
            raise SflowError(
                f"workers cannot start: {text[-400:]}", hint="check that workers have the same packages as this machine"
            ) from error

    def close(self) -> None:
        """Stop all of them."""
        self._is_closed = True
        for actor in (*self._workers, *self._helpers):
            _kill(actor)
        self._workers, self._helpers = [], []


def _kill(actor: Any) -> None:
    with suppress(Exception):  # already dead
        ray.kill(actor)
