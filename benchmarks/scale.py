"""What a conversion costs its driver, step by step, with a model that does nothing: processor time and memory.

``python benchmarks/scale.py --frames 1000000 --shard-frames 256`` prints a line for each step of a plan, a conversion,
and two further runs that find nothing to do.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from child_process import ChildProcess, answer, wait_for_start
from linked_dump import link_plain_dump

SIZE_PX = (16, 8)
_MB = 1 << 20


class StubTranslator:
    """Gives the render back."""

    def translate(self, class_index: Any, render: Any, alpha: Any, **_look: Any) -> Any:  # noqa: ARG002
        from sflow_pipeline.bundle.translator import Translation

        return Translation(render, np.zeros(render.shape[:3], np.uint8))


@dataclass
class _Step:
    """One step: its name, when it began, and the processor time and memory until then."""

    name: str
    at_s: float
    cpu_s: float
    worker_cpu_s: float
    memory_mb: float


class StepClock:
    """Progress of a run that notes what each step takes."""

    def __init__(self) -> None:
        self.steps: list[_Step] = []
        self.worker_cpu_s = 0.0
        self.shards = 0
        self.quarter: list[float] = []
        self._begin("start")

    def _begin(self, name: str) -> None:
        now = time.process_time()
        self.steps.append(_Step(name, time.perf_counter(), now, self.worker_cpu_s, read_memory_mb()))

    def on_step(self, text: str) -> None:
        self._begin(text)

    def on_count(self, done: int, total: int, unit: str) -> None: ...

    def on_shard(self, record: Any) -> None:  # noqa: ARG002
        self.shards += 1

    def on_frames(self, frames: int) -> None: ...
    def on_plan(self, plan: Any) -> None: ...
    def on_warning(self, text: str) -> None: ...
    def on_engine(self, workers: int, device: str, precision: str) -> None: ...

    def finish(self) -> list[dict[str, Any]]:
        """Step -> seconds on the clock, of the driver's processor time, and memory in MB at its end."""
        self._begin("end")
        return [
            {
                "step": before.name,
                "s": round(after.at_s - before.at_s, 2),
                "driver_cpu_s": round(after.cpu_s - before.cpu_s - (after.worker_cpu_s - before.worker_cpu_s), 2),
                "worker_cpu_s": round(after.worker_cpu_s - before.worker_cpu_s, 2),
                "memory_mb": round(after.memory_mb),
            }
            for before, after in zip(self.steps, self.steps[1:], strict=False)
        ]


def read_memory_mb() -> float:
    """Resident memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / _MB


def _stub_shards(folder: Path) -> Callable[..., Any]:
    """A conversion of shards that costs next to nothing: files of so many rows, linked, and commit records unsynced."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from sflow_pipeline.storage import filesystem
    from sflow_pipeline.storage.commits import ShardRecord, write_commit

    templates: dict[int, list[Path]] = {}
    links = 0

    def convert_shard(task: Any, settings: Any, _painter: Any, on_frame: Callable[[], None], *_more: Any) -> Any:
        nonlocal links
        rows, links = len(task.frames), links + 1
        made = templates.setdefault(rows, [])
        if not made or links % 50_000 == 0:
            made.append(folder / f"{rows}-{links}.parquet")
            pq.write_table(pa.table({"row": range(rows)}), made[-1])
        path = f"data/{task.split}/{task.shard_id}-stub.parquet"
        target = Path(settings.out.locate(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(made[-1], target)
        for _ in range(rows):
            on_frame()
        size_bytes = made[-1].stat().st_size
        record = ShardRecord(task.shard_id, task.split, task.fingerprint, path, "", size_bytes, rows, rows)
        write_commit(settings.out, record)
        return record

    filesystem.sync = lambda _path: None
    return convert_shard


def _note_workers(clock: StepClock, stub: Callable[..., Any] | None) -> None:
    """Count the processor time of the conversion of shards in this process as a worker's."""
    from sflow_pipeline.conversion.engines import in_process

    genuine = stub or in_process.convert_shard

    def convert_shard(*arguments: Any) -> Any:
        before = time.process_time()
        record = genuine(*arguments)
        clock.worker_cpu_s += time.process_time() - before
        return record

    in_process.convert_shard = convert_shard


def _run(mode: str, fields: dict[str, Any]) -> None:
    stub_folder = fields.pop("stub", None)
    import torch  # noqa: F401  loading libraries is start-up

    from sflow_pipeline.bundle import load_bundle
    from sflow_pipeline.config.job import build_job
    from sflow_pipeline.conversion.convert import convert, plan_conversion

    load_bundle(fields["bundle"])
    wait_for_start()
    clock = StepClock()
    act: Callable[[], Any]
    if mode == "plan":
        act = lambda: plan_conversion(build_job(fields), clock)  # noqa: E731
    else:
        _note_workers(clock, _stub_shards(Path(stub_folder)) if stub_folder else None)
        act = lambda: convert(build_job(fields), progress=clock, build_translator=StubTranslator)  # noqa: E731
    started, cpu = time.perf_counter(), time.process_time()
    act()
    answer(
        mode=mode,
        s=round(time.perf_counter() - started, 2),
        cpu_s=round(time.process_time() - cpu, 2),
        peak_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        shards=clock.shards,
        steps=clock.finish(),
    )


def _measure(file: str, mode: str, fields: dict[str, Any]) -> None:
    with ChildProcess(file, "--child", mode, json.dumps(fields)) as child:
        child.wait_until_ready()
        child.start()
        found = child.read_answer()
    # Of each step: seconds, processor time of the driver and of workers, and the driver's memory.
    print(f"\n{mode}: {found['s']} s, {found['cpu_s']} CPU s, peak {found['peak_mb']} MB, {found['shards']} shards")
    for step in found["steps"]:
        print("  {step:34} {s:8} s {driver_cpu_s:8} {worker_cpu_s:8} CPU s {memory_mb:6} MB".format(**step), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--shard-frames", type=int, default=256)
    parser.add_argument("--modes", default="plan,convert,again,plan")
    parser.add_argument("--stub-shards", action="store_true", help="measure the driver alone; frames are not read")
    parser.add_argument("--folder", type=Path, help="keeps the dump between measurements")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _run(options.child[0], json.loads(options.child[1]))
        return
    from sflow_pipeline.bundle import build_random_bundle

    with tempfile.TemporaryDirectory(prefix="sflow-scale-") as temporary:
        folder = options.folder or Path(temporary)
        dump = folder / str(options.frames) / "dump"
        if not dump.exists():
            link_plain_dump(dump.parent, frames=options.frames, size=SIZE_PX)
        bundle = build_random_bundle(Path(temporary) / "bundle").path
        fields = {
            "sim_dir": str(dump),
            "out_dir": str(Path(temporary) / "out"),
            "bundle": str(bundle),
            "workers": 1,
            "shard_frames": options.shard_frames,
            "contradictions": "ignore",
        }
        if options.stub_shards:
            fields["stub"] = str(folder / str(options.frames))
        print(f"{options.frames} frames, {options.shard_frames} in a shard", flush=True)
        for mode in options.modes.split(","):
            _measure(__file__, mode, fields)


if __name__ == "__main__":
    sys.exit(main())
