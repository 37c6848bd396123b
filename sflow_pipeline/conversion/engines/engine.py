"""The engine of a run: labels are counted and shards converted in this process, on Ray here, or on a cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.engines.workers import choose_workers
from sflow_pipeline.conversion.job.device_facts import DeviceFacts, find_device
from sflow_pipeline.conversion.labels.counts import LabelCounts, count_in_threads
from sflow_pipeline.conversion.painting.painter_factory import PainterFactory
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard_task import ShardTask
from sflow_pipeline.conversion.source.source_index import SourceFrame
from sflow_pipeline.errors import SflowError
from sflow_pipeline.storage.commits import ShardRecord
from sflow_pipeline.storage.process_identity import count_cores
from sflow_pipeline.storage.run_lock import RunLock

_WITHOUT_RAY = "convert with --workers 1, which needs no Ray"
#: Fewer labels are counted before Ray has started.
_FEWEST_LABELS = 2000
#: From so many frames and cores on, processes that read and write frames beside one GPU are worth the start of Ray.
_FRAMES_WORTH_HELPERS, _CORES_WORTH_HELPERS = 5000, 4


class Engine:
    """Starts Ray when it is needed, at most once, until ``stack`` ends.

    Args:
        job: names a cluster, or a number of workers.
        stack: closes the connection to Ray.
        on_step: is told of steps that take time.

    Raises:
        SflowError: the cluster cannot be reached.
    """

    def __init__(self, job: ConvertJob, stack: ExitStack, on_step: Callable[[str], None]) -> None:
        self._job = job
        self._stack = stack
        self._on_step = on_step
        self._facts: Any = None
        if job.address is not None:
            self._connect(job.workers or 1)

    def find_device(self, device: str, precision: str) -> DeviceFacts:
        """The concrete device that frames are converted on."""
        if self._facts is None:
            return find_device(device, precision)
        from sflow_pipeline.conversion.engines.on_ray.shards import find_device_of_workers

        return find_device_of_workers(device, precision, self._facts)

    def prepare(self, settings: ConversionSettings, tasks: Sequence[ShardTask], labels: int) -> None:
        """Start Ray before ``labels`` labels are counted, where shards will be converted on it anyway."""
        if self._facts is None and labels >= _FEWEST_LABELS:
            workers = self.choose_workers(settings, tasks)
            if workers > 1:
                self._connect(_count_cpus(settings, workers))

    def count_labels(
        self, groups: Sequence[Sequence[SourceFrame]], settings: ConversionSettings
    ) -> Iterator[LabelCounts]:
        """Count the labels of groups of frames, in order; by Ray's workers where it runs."""
        if self._facts is None:
            return count_in_threads(groups, settings)
        from sflow_pipeline.conversion.engines.on_ray.labels import count_on_ray

        return count_on_ray(groups, settings, self._facts.cpus)

    def choose_workers(self, settings: ConversionSettings, tasks: Sequence[ShardTask]) -> int:
        """How many workers convert these shards."""
        is_cluster = self._job.address is not None
        cpus, gpus = (self._facts.cpus, self._facts.gpus) if is_cluster else (None, None)
        return choose_workers(self._job, settings.device, tasks, cpus, gpus)

    def convert(
        self,
        tasks: Sequence[ShardTask],
        settings: ConversionSettings,
        build_painter: PainterFactory,
        lock: RunLock,
        workers: int,
        *,
        on_ready: Callable[[int], None],
        on_frames: Callable[[int], None],
        on_failed: Callable[[Any], None],
        on_warning: Callable[[str], None],
    ) -> Iterator[ShardRecord]:
        """Convert shards, yielding each record once it is committed.

        Args:
            on_ready: gets the number of workers that have loaded the networks, whenever it rises.

        Raises:
            SflowError: workers cannot start, the disk is full, ….
        """
        if self._job.address is None and workers == 1 and not self._find_helpers(tasks, settings):
            from sflow_pipeline.conversion.engines.in_process import run_in_process

            self._on_step("loading the networks")
            return run_in_process(tasks, settings, build_painter, on_frames, lock.check, on_ready)
        from sflow_pipeline.conversion.engines.on_ray.shards import run_on_ray

        if self._facts is None:
            self._connect(_count_cpus(settings, workers))
        self._on_step("starting the workers, each of which loads the networks")
        return run_on_ray(
            tasks,
            settings,
            build_painter,
            on_frames,
            on_ready=on_ready,
            workers=workers,
            cpus=self._facts.cpus if self._facts.gpus >= workers else 0,
            check_lock=lock.fence.check,
            on_failed=on_failed,
            on_warning=on_warning,
        )

    def _find_helpers(self, tasks: Sequence[ShardTask], settings: ConversionSettings) -> bool:
        """Whether other processes read and write for this machine's GPU, which paints faster than one of them does."""
        frames = sum(len(task.frames) for task in tasks)
        is_worth_it = self._job.workers is None and settings.device == "cuda" and frames >= _FRAMES_WORTH_HELPERS
        if not is_worth_it or count_cores() < _CORES_WORTH_HELPERS:
            return False
        if self._facts is None:
            try:
                self._connect(count_cores())
            except SflowError as error:
                self._on_step(f"{error.message}; frames are read and written by this process")
                return False
        return bool(self._facts.gpus)

    def _connect(self, workers: int) -> None:
        from sflow_pipeline.ray_cluster import connect

        place = "starting Ray on this machine" if self._job.address is None else "joining the Ray cluster"
        self._on_step(place)
        self._facts = self._stack.enter_context(connect(self._job.address, workers, without_ray=_WITHOUT_RAY))


def _count_cpus(settings: ConversionSettings, workers: int) -> int:
    """Cores that Ray may use here: GPUs need some beside their workers', to read and write frames."""
    return workers if settings.device == "cpu" else max(workers, count_cores())
