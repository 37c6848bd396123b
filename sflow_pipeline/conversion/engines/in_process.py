"""Conversion of shards in this process, one after the other: no start-up time; for one GPU or a small CPU."""

from collections.abc import Callable, Iterator, Sequence

from sflow_pipeline.conversion.engines.memory_reuse import reused_memory
from sflow_pipeline.conversion.engines.threads import single_threaded
from sflow_pipeline.conversion.painting.paint import PainterFactory
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard.shard import convert_shard
from sflow_pipeline.conversion.shard_task import ShardTask
from sflow_pipeline.storage.commits import ShardRecord


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
    with single_threaded(), reused_memory():
        painter = build_painter()
        on_ready(1)
        for task in tasks:
            yield convert_shard(task, settings, painter, lambda: on_frames(1), check_lock)
