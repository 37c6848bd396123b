"""Whether the process that drives a conversion grows with the dump."""

import resource
import sys
import tempfile
from pathlib import Path

from child_process import answer, run_child, wait_for_start
from linked_dump import link_plain_dump
from measurement import Measurement, Options

SIZE_PX = (64, 32)


def measure(options: Options) -> list[Measurement]:
    """Peak memory of the driver with ten times the frames, divided by that with them."""
    from sflow_pipeline.bundle import build_random_bundle

    few = options.frames or 1000
    found = []
    with tempfile.TemporaryDirectory(prefix="sflow-bench-") as temporary:
        folder = Path(temporary)
        bundle = build_random_bundle(folder / "bundle").path
        dumps = {
            frames: link_plain_dump(folder / str(frames), frames=frames, size=SIZE_PX) for frames in (few, 10 * few)
        }
        for workers, name in ((2, "driver of 2 Ray workers"), (1, "in-process")):
            peak_mb = {
                frames: run_child(__file__, dump, folder / f"out-{workers}-{frames}", bundle, workers)["peak_mb"]
                for frames, dump in dumps.items()
            }
            details = {f"peak_mb_{frames}_frames": round(value) for frames, value in peak_mb.items()}
            ratio = peak_mb[10 * few] / peak_mb[few]
            found.append(
                Measurement(
                    f"peak memory, {10 * few} / {few} frames, {name}", ratio, goal=("at most", 1.1), details=details
                )
            )
    return found


def _convert(dump: str, out: str, bundle: str, workers: int) -> None:
    from sflow_pipeline.config.job import build_job
    from sflow_pipeline.conversion.convert import convert

    wait_for_start()
    summary = convert(build_job({"sim_dir": dump, "out_dir": out, "bundle": bundle, "workers": workers}))
    assert summary.status == "clean", summary
    answer(peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    dump, out, bundle, workers = sys.argv[1:]
    _convert(dump, out, bundle, int(workers))
