"""What it takes to list a large dump and note every file's identity."""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from child_process import answer, run_child, wait_for_start
from linked_dump import link_plain_dump
from measurement import Measurement, Options


def measure(options: Options) -> list[Measurement]:
    """Seconds of discovery and index divided by those of a walk with ``os.scandir``, in turns; two files a frame.

    The walk that is compared looks up every file's size and time, as the index must; the one that reads names alone is
    told too. The clock on the wall decides, since files are looked up from several threads; what the processor was
    kept busy is told beside it.
    """
    files = options.frames or 100_000
    with tempfile.TemporaryDirectory(prefix="sflow-bench-") as temporary:
        dump = link_plain_dump(Path(temporary), frames=files // 2, size=(16, 8))
        walk(str(dump), look_up=True)  # the first look warms the file system's caches for all
        runs = [
            {mode: run_child(__file__, mode, dump) for mode in ("names", "walk", "index")}
            for _ in range(options.repeats or 3)
        ]
    details = {f"{mode}_s": median(run[mode]["seconds"] for run in runs) for mode in runs[0]}
    details["over_names_alone"] = median(run["index"]["seconds"] / run["names"]["seconds"] for run in runs)
    details["ratio_of_processor_time"] = median(run["index"]["cpu_s"] / run["walk"]["cpu_s"] for run in runs)
    ratio = median(run["index"]["seconds"] / run["walk"]["seconds"] for run in runs)
    grown_mb = median(run["index"]["peak_mb"] - run["index"]["before_mb"] for run in runs)
    name = f"discovery and index of {files} files / scandir walk"
    return [
        Measurement(name, ratio, goal=("at most", 1.5), details=details),
        Measurement("memory for discovery and index, per file", grown_mb * 1e6 / files, "bytes"),
        Measurement("peak memory of discovery and index", median(run["index"]["peak_mb"] for run in runs), "MB"),
    ]


def walk(root: str, *, look_up: bool) -> int:
    count, pending = 0, [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    pending.append(entry.path)
                else:
                    count += 1
                    if look_up:
                        entry.stat()
    return count


def index_files(root: str) -> int:
    from sflow_pipeline.conversion.source.source_index import build_index
    from sflow_pipeline.simulators import discover
    from sflow_pipeline.storage.filesystem import Folder

    dump = discover(root)
    return build_index(dump.frames, Folder(root), ["render", "label"]).num_rows


def _main(mode: str, root: str) -> None:
    if mode == "index":
        import pyarrow as pa

        import sflow_pipeline.conversion.source.source_index
        import sflow_pipeline.simulators
        import sflow_pipeline.storage.image_codec  # noqa: F401  loading code, OpenCV among it, is start-up

        pa.table({"name": ["pyarrow loads pandas at its first list, where that is installed"]})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wait_for_start()
    started, cpu_started = time.perf_counter(), time.process_time()
    count = index_files(root) if mode == "index" else walk(root, look_up=mode == "walk")
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    assert count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer(seconds=seconds, cpu_s=cpu_s, peak_mb=peak / 1024, before_mb=before / 1024)


if __name__ == "__main__":
    _main(*sys.argv[1:])
