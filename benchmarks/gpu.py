"""Everything to be known of a GPU in ten minutes: whole conversions with and without CUDA graphs, and its stages.

    timeout 600 python benchmarks/gpu.py --out results

On a CPU (``--device cpu --frames 8 --size 64x32 --batch-size 1``) it only shows that it works.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

from linked_dump import link_sample_dump


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--frames", type=int, default=16_000, help="of the conversion at 512x256; others by pixels")
    parser.add_argument("--size", action="append", help="of conversions; 512x256 and 1920x1080 where left out")
    parser.add_argument("--batch-size", action="append", type=int, help="1, 8 and 32 where left out")
    parser.add_argument("--convert-batch-size", action="append", default=[], help="of conversions; auto where left out")
    parser.add_argument("--workers", action="append", type=int, help="of conversions; chosen where left out")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--gate", default="score", help="of conversions")
    parser.add_argument("--graphs", action="append", choices=["on", "off"], help="of conversions; both where left out")
    parser.add_argument("--image-format", action="append", help="of conversions; png where left out")
    parser.add_argument("--out", type=Path, default=Path("gpu_results"))
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    sizes = chosen.size or ["512x256", "1920x1080"]
    batches = chosen.batch_size or [1, 8, 32]
    conversions: list[dict[str, Any]] = []
    for size in sizes:
        width, height = map(int, size.split("x"))
        frames = max(1, round(chosen.frames * 512 * 256 / (width * height))) if chosen.frames > 100 else chosen.frames
        with tempfile.TemporaryDirectory(prefix="sflow-bench-") as temporary:
            dump = link_sample_dump(Path(temporary), frames=frames, size=(width, height))
            formats, convert_batches = chosen.image_format or ["png"], chosen.convert_batch_size or [""]
            settings = product(chosen.workers or [None], formats, convert_batches)
            for workers, image_format, batch_size in settings:
                out = Path(temporary) / "out"
                found = [
                    convert(dump, out, size, workers, image_format, batch_size, chosen, graphs)
                    for graphs in chosen.graphs or ["on", "off"]
                ]
                for row in found:
                    row["same_bytes"] = row["digest"] == found[0]["digest"]
                    print(row, flush=True)
                conversions += found
                write(chosen.out / "conversions.json", conversions)
    command = ["sflow-pipeline", "bench", "--device", chosen.device, "--repeats=3", "--json"]
    command += [f"--plot={chosen.out}/roofline.svg", *(f"--size={size}" for size in sizes)]
    command += [f"--batch-size={size}" for size in batches]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    (chosen.out / "stages.json").write_text(done.stdout)
    for row in json.loads(done.stdout)["rows"]:
        print(row["size_px"], row["batch_size"], row["stage"], f"{row['frames_per_s']:.1f} frames/s", flush=True)
    run_networks(chosen, sizes, batches)


def run_networks(chosen: argparse.Namespace, sizes: list[str], batches: list[int]) -> None:
    """``gpu_networks.py`` in a process of its own; last, because compilation may take what is left of the time."""
    command = [sys.executable, str(Path(__file__).with_name("gpu_networks.py")), "--device", chosen.device]
    command += [*(f"--size={size}" for size in sizes), *(f"--batch-size={size}" for size in batches)]
    command += ["--no-compile"] if chosen.no_compile else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    (chosen.out / "networks.json").write_text(done.stdout)
    print(done.stdout, flush=True)


def convert(
    dump: Path,
    out: Path,
    size: str,
    workers: int | None,
    image_format: str,
    batch_size: str,
    chosen: argparse.Namespace,
    graphs: str,
) -> dict[str, Any]:
    """One conversion by the command line: frames a second, how busy the GPU was, and a digest of all its shards."""
    shutil.rmtree(out, ignore_errors=True)
    command = ["sflow-pipeline", "convert", str(dump), str(out), "--device", chosen.device, "--gate", chosen.gate]
    command += ["--image-format", image_format, "--contradictions", "ignore", "--json"]
    command += ["--workers", str(workers)] if workers else []
    command += ["--smooth", "0"]  # frames alone; docs/video.md has what smoothing takes
    command += ["--batch-size", batch_size] if batch_size else []
    with Utilisation(chosen.device) as busy:
        started = time.perf_counter()
        environment = {**os.environ, "SFLOW_CUDA_GRAPHS": "1" if graphs == "on" else "0"}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        seconds = time.perf_counter() - started
    summary = json.loads(done.stdout)
    rows = summary["rows"]
    stored = sum(path.stat().st_size for path in (out / "data").rglob("*.parquet"))
    shards = json.loads((out / "manifest.json").read_text())["shards"]
    return {
        "size": size,
        "graphs": graphs,
        "digest": sha256("".join(shard["sha256"] for shard in shards).encode()).hexdigest(),
        "workers": workers or "auto",
        "image_format": image_format,
        "batch_size": batch_size or "auto",
        "rows": rows,
        "seconds": round(seconds, 1),
        "frames_per_s": round(rows / seconds, 1),
        "bytes_per_row": stored // max(1, rows),
        "gpu_busy_percent": busy.summarise(),
        "summary": summary,
    }


@dataclass
class Utilisation:
    """Samples of ``nvidia-smi`` while a block runs."""

    device: str
    samples: list[float] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Utilisation":
        if self.device.startswith("cuda") and shutil.which("nvidia-smi"):
            self._thread = threading.Thread(target=self._sample, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def summarise(self) -> dict[str, float] | None:
        """Mean over the whole run, and over its middle, from 40 % to 90 %; None without samples."""
        if not self.samples:
            return None
        count = len(self.samples)
        middle = self.samples[int(0.4 * count) : max(int(0.9 * count), int(0.4 * count) + 1)]
        return {"whole": round(mean(self.samples), 1), "middle": round(mean(middle), 1)}

    def _sample(self) -> None:
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not self._stop.wait(0.5):
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if done.returncode == 0:
                self.samples.append(float(done.stdout.split()[0]))


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
