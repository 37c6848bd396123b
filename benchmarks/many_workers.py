"""Whether one driver keeps many workers busy: Ray's own calls, and workers whose device takes a fixed time a frame."""

import sys
import time
from pathlib import Path
from typing import Any

from child_process import answer, run_child, wait_for_start
from measurement import Measurement, Options

_WORKERS = 64
_FRAME_S = 0.02
_SHARD_FRAMES = 256
#: Processes that the workers share: they sleep nearly all the time.
_PROCESSES = 4


def measure(options: Options) -> list[Measurement]:
    """Time that the workers' devices need, divided by the time that the run takes; 1 is a driver that costs nothing."""
    frames = options.frames or 8 * _WORKERS * _SHARD_FRAMES
    found = run_child(__file__, _WORKERS, frames)
    name = f"{_WORKERS} workers of {_FRAME_S * 1000:g} ms a frame: share of the time that they work"
    details = {key: found[key] for key in ("shards", "seconds", "driver_cpu_s", "driver_cpu_ms_a_shard")}
    return [Measurement(name, found["efficiency"], goal=("at least", 0.9), details=details)]


class _Devices:
    """An actor that stands for several workers."""

    def convert(self, task: Any) -> Any:
        from sflow_pipeline.storage.commits import ShardRecord

        time.sleep(_FRAME_S * len(task.frames))
        frames = len(task.frames)
        return ShardRecord(task.shard_id, task.split, task.fingerprint, None, None, 0, frames, frames)

    def count_frames(self) -> int:
        return 0


class _Worker:
    def __init__(self, process: Any) -> None:
        self.convert, self.count_frames = process.convert, process.count_frames


def _run(workers: int, frames: int) -> None:
    import pyarrow as pa
    import ray

    from sflow_pipeline.conversion.engines.on_ray import shards
    from sflow_pipeline.conversion.shard_task import ShardTask
    from sflow_pipeline.conversion.source.source_index import SourceFrames

    ray.init(address="local", num_cpus=_PROCESSES, include_dashboard=False, log_to_driver=False)
    actor = ray.remote(_Devices).options(num_cpus=1, max_concurrency=2 * workers)
    processes = [actor.remote() for _ in range(_PROCESSES)]
    ray.get([process.count_frames.remote() for process in processes])

    class Pool:
        has_worked = True

        def __init__(self, *_arguments: Any, **_options: Any) -> None:
            self._started = 0

        def start(self) -> _Worker:
            self._started += 1
            return _Worker(processes[self._started % _PROCESSES])

        def stop(self, worker: _Worker) -> None: ...
        def close(self) -> None: ...

    shards.WorkerPool = Pool
    names = [f"town{row // 1000:05d}/{row:08d}" for row in range(frames)]
    index = pa.table(
        {
            "sample_id": names,
            "sequence_id": [name.partition("/")[0] for name in names],
            "frame_index": list(range(frames)),
            "split": ["train"] * frames,
            "timestamp_s": pa.nulls(frames, pa.float64()),
            **{name: [f"{kind}/{path}.png" for path in names] for name, kind in (("render", "rgb"), ("label", "ids"))},
            **{f"{name}_identity": ["1000:1700000000000000000"] * frames for name in ("render", "label")},
        }
    )
    tasks = [
        ShardTask(f"s{first}", "train", "", SourceFrames(index, first, min(first + _SHARD_FRAMES, frames)))
        for first in range(0, frames, _SHARD_FRAMES)
    ]
    wait_for_start()
    nothing: Any = lambda *_arguments: None  # noqa: E731
    options = {"cpus": workers, "check_lock": nothing, "on_failed": nothing, "on_warning": nothing}
    started, cpu_started = time.perf_counter(), time.process_time()
    done = sum(1 for _record in shards.run_on_ray(tasks, None, nothing, nothing, workers=workers, **options))
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    assert done == len(tasks)
    answer(
        efficiency=frames * _FRAME_S / workers / seconds,
        shards=done,
        seconds=seconds,
        driver_cpu_s=cpu_s,
        driver_cpu_ms_a_shard=1000 * cpu_s / done,
    )


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parent))
    _run(int(sys.argv[1]), int(sys.argv[2]))
