"""Conversion of shards in this process, one after the other: no start-up time; for few frames, or a small CPU."""

from collections.abc import Callable, Iterator, Sequence

from sflow_pipeline.conversion.engines.memory_reuse import reused_memory
from sflow_pipeline.conversion.engines.threads import single_threaded
from sflow_pipeline.conversion.painting.painter_factory import PainterFactory
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard.frame_helpers import ThisProcess
from sflow_pipeline.conversion.shard.shard import convert_shard
from sflow_pipeline.conversion.shard_task import ShardTask
from sflow_pipeline.storage.commits import ShardRecord
from sflow_pipeline.storage.process_identity import count_cores

#: Threads that decode, and as many that encode, beside a GPU; Python lets no more work at once.
_MOST_THREADS = 8


def run_in_process(
    tasks: Sequence[ShardTask],
    settings: ConversionSettings,
    build_painter: PainterFactory,
    on_frames: Callable[[int], None],
    check_lock: Callable[[], None],
    on_ready: Callable[[int], None] = lambda _workers: None,
) -> Iterator[ShardRecord]:
    """Convert shards in order, yielding each record once it is committed.

    Raises:
        OutputError: the disk is full, the run has lost the folder, ….
    """
    if not tasks:
        return
    helpers = find_threads(settings)
    with single_threaded(), reused_memory():
        painter = build_painter()
        second = build_painter.build_second(painter)
        on_ready(1)
        for task in tasks:
            yield convert_shard(task, settings, painter, lambda: on_frames(1), check_lock, helpers, second=second)


def find_threads(settings: ConversionSettings) -> ThisProcess:
    """Threads that decode and encode: one of each on a CPU, whose cores the model needs, several beside a GPU."""
    return ThisProcess(settings, 1 if settings.device == "cpu" else max(1, min(_MOST_THREADS, count_cores() - 1)))
