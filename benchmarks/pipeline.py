"""How much of the bare model's speed is left when frames are read, checked, encoded and committed around it."""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from child_process import ChildProcess, answer, run_child, wait_for_start
from linked_dump import link_sample_dump
from measurement import Measurement, Options

SIZE_PX = (512, 256)
_SHARDS = 16


def measure(options: Options) -> list[Measurement]:
    """Frames per second of ``convert`` divided by those of the model on the same frames in memory, in pairs.

    One worker is compared with one bare loop, two workers with two bare loops side by side, each with one thread. Both
    follow the frames with appearance 1; the gate, which is a network of its own, has its own benchmark and is off here.
    """
    frames = options.frames or 512
    found = []
    speeds: dict[int, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="sflow-bench-") as temporary:
        folder = Path(temporary)
        dump = link_sample_dump(folder, frames=frames, size=SIZE_PX)
        bundle = _choose_bundle(folder)
        for workers, goal in ((1, 0.90), (2, 0.85)):
            runs = []
            for repeat in range(options.repeats or 3):
                before = _run_bare(dump, bundle, workers, max(8, frames // 8))
                out = folder / f"out-{workers}-{repeat}"
                run = run_child(__file__, "convert", dump, bundle, out, workers, max(1, frames // _SHARDS))
                after = _run_bare(dump, bundle, workers, max(8, frames // 8))
                runs.append({**run, "bare_fps": (before + after) / 2})
            speeds[workers] = runs
            # One process answers for everything it does; the seconds that Ray's workers need to start are told apart.
            speed = "whole_fps" if workers == 1 else "steady_fps"
            name = "convert in-process / bare model" if workers == 1 else "convert on 2 Ray workers / 2 bare models"
            details = {key: median(run[key] for run in runs) for key in runs[0]}
            ratio = median(run[speed] / run["bare_fps"] for run in runs)
            found.append(Measurement(name, ratio, goal=("at least", goal), details={"frames": frames, **details}))
            if workers == 2:
                found.append(Measurement("start-up of 2 Ray workers", details["start_s"], "s"))
    return [*found, _compare_with_machine(speeds[1], speeds[2])]


def _compare_with_machine(single: list[dict[str, float]], double: list[dict[str, float]]) -> Measurement:
    """How much faster two workers are than one, divided by how much faster two bare models are than one.

    Two cores need not do twice the work of one: they may be two threads of one core, or share their clock and memory.
    """
    pairs = list(zip(single, double, strict=True))
    workers = median(two["steady_fps"] / one["steady_fps"] for one, two in pairs)
    machine = median(two["bare_fps"] / one["bare_fps"] for one, two in pairs)
    return Measurement(
        "2 Ray workers / 1 in-process worker, of what 2 bare models / 1 are",
        workers / machine,
        goal=("at least", 0.9),
        details={"workers_2_over_1": workers, "machine_2_over_1": machine},
    )


def _choose_bundle(folder: Path) -> Path:
    """The default bundle, or random weights of the same shapes where it is not there."""
    from sflow_pipeline.bundle import build_random_bundle, load_bundle
    from sflow_pipeline.config.recipe import Recipe
    from sflow_pipeline.errors import BundleError

    try:
        return load_bundle().path
    except BundleError:
        return build_random_bundle(folder / "bundle", recipe=Recipe(name="bench")).path


def _run_bare(dump: Path, bundle: Path, loops: int, frames: int) -> float:
    """Frames per second of so many bare loops together."""
    children = [ChildProcess(__file__, "bare", dump, bundle, frames) for _ in range(loops)]
    try:
        for child in children:
            child.wait_until_ready()
        for child in children:
            child.start()
        return sum(float(child.read_answer()["fps"]) for child in children)
    finally:
        for child in children:
            child.__exit__(None, None, None)


def _loop_bare(dump: str, bundle: str, frames: int) -> None:
    import numpy as np

    from sflow_pipeline.bundle import load_bundle
    from sflow_pipeline.bundle.alpha import draw_alpha
    from sflow_pipeline.bundle.translator import Translator
    from sflow_pipeline.config.job import build_job
    from sflow_pipeline.conversion.engines.threads import limit_threads
    from sflow_pipeline.conversion.frame.decode import decode_frame
    from sflow_pipeline.conversion.job.resolve_job import resolve_job

    limit_threads()
    resolved = resolve_job(build_job({"sim_dir": dump, "out_dir": f"{dump}-none", "bundle": bundle, "limit": 24}))
    decoded = [decode_frame(frame, resolved.settings) for frame in resolved.frames]
    alpha = draw_alpha(0, "", 0)
    look = {"appearance": np.ones(1, np.float32), "photo_colors": np.full(1, 0.2, np.float32)}
    translator = Translator(load_bundle(bundle))
    for item in decoded[:2]:
        translator.translate(item.class_index[None], item.render[None], alpha[None], **look)
    wait_for_start()
    started = time.perf_counter()
    for number in range(frames):
        item = decoded[number % len(decoded)]
        translator.translate(item.class_index[None], item.render[None], alpha[None], **look)
    answer(fps=frames / (time.perf_counter() - started))


def _convert(dump: str, bundle: str, out: str, workers: int, shard_frames: int) -> None:
    import torch  # noqa: F401  loading libraries is start-up, and not what is measured

    from sflow_pipeline.config.job import build_job
    from sflow_pipeline.conversion.convert import convert
    from sflow_pipeline.conversion.status.progress import SilentProgress
    from sflow_pipeline.storage.commits import ShardRecord

    class Clock(SilentProgress):
        def __init__(self) -> None:
            self.frames = 0
            self.first_frame = 0.0
            self.commits: list[tuple[float, int]] = []

        def on_frames(self, frames: int) -> None:
            self.frames += frames
            if self.frames and not self.first_frame:
                self.first_frame = time.perf_counter()

        def on_shard(self, record: ShardRecord) -> None:  # noqa: ARG002  a keyword of the protocol
            self.commits.append((time.perf_counter(), self.frames))

    clock = Clock()
    fields = {"sim_dir": dump, "out_dir": out, "bundle": bundle, "workers": workers, "shard_frames": shard_frames}
    fields |= {"appearance": 1.0, "gate": "off", "smooth": 0.0}
    wait_for_start()
    started = time.perf_counter()
    summary = convert(build_job(fields), progress=clock)
    ended = time.perf_counter()
    assert summary.rows == summary.frames_converted == clock.frames and len(clock.commits) > 2 * workers
    # In between every worker is at work: each has finished something, and none has run out of shards.
    (first_at, first_count), (last_at, last_count) = clock.commits[workers - 1], clock.commits[-workers]
    answer(
        whole_fps=summary.rows / (ended - started),
        steady_fps=(last_count - first_count) / (last_at - first_at),
        start_s=clock.first_frame - started,
        finish_s=ended - clock.commits[-1][0],
        shards=summary.shards_converted,
    )


if __name__ == "__main__":
    mode, *arguments = sys.argv[1:]
    if mode == "bare":
        _loop_bare(arguments[0], arguments[1], int(arguments[2]))
    else:
        dump, bundle, out, workers, shard_frames = arguments
        _convert(dump, bundle, out, int(workers), int(shard_frames))
