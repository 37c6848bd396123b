"""Runs the benchmarks one after the other, prints a table and writes ``results.json`` beside this file."""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measurement import Measurement, Options

from sflow_pipeline.storage.process_identity import count_cores

HERE = Path(__file__).resolve().parent
#: Each is a module here with ``measure(options) -> list[Measurement]``, the quick ones first.
BENCHMARKS = (
    "startup",
    "cold_start",
    "generator",
    "image_formats",
    "training_step",
    "discovery",
    "dataset_access",
    "memory",
    "pipeline",
    "gate",
    "flow",
    "many_workers",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="run this one; may be repeated")
    parser.add_argument(
        "--frames", type=int, help="how much to work on: frames; steps of training_step; files of discovery"
    )
    parser.add_argument("--repeats", type=int, help="how many pairs; the median counts")
    parser.add_argument("--out", type=Path, default=HERE / "results.json", help="where the numbers go")
    chosen = parser.parse_args()
    options = Options(chosen.frames, chosen.repeats)
    found: dict[str, list[Measurement]] = {}
    for name in chosen.only or BENCHMARKS:
        if not (HERE / f"{name}.py").is_file():
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        started = time.monotonic()
        measure = measure_dataset_access if name == "dataset_access" else importlib.import_module(name).measure
        found[name] = measure(options)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    content = {
        "machine": describe_machine(),
        "options": asdict(options),
        "results": {name: [_to_dict(item) for item in items] for name, items in found.items()},
    }
    chosen.out.write_text(json.dumps(content, indent=2) + "\n")
    print(render_table(found, content["machine"]))


def measure_dataset_access(options: Options) -> list[Measurement]:
    """``dataset_access.py`` is a program of its own: it changes how many threads its libraries use."""
    command = [sys.executable, str(HERE / "dataset_access.py")]
    command += [f"--rows={options.frames or 256}", f"--rounds={options.repeats or 5}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    facts = json.loads(done.stdout)
    names = {
        "random_access_ratio": ("open_dataset / PNG files, rows at random", 0.8),
        "sequential_ratio": ("open_dataset / PNG files, rows in order", 1.0),
        "stream_ratio": ("open_dataset / PNG files, stream", None),
        "decode_ratio": ("decoding a row / bare OpenCV on the same bytes", 0.9),
    }
    return [
        Measurement(name, facts[key], goal=None if goal is None else ("at least", goal), details=facts)
        for key, (name, goal) in names.items()
    ]


def render_table(found: dict[str, list[Measurement]], machine: dict[str, Any]) -> str:
    """The numbers as Markdown, ready for README.md."""
    lines = ["| benchmark | what | measured | goal | |", "|---|---|---:|---|---|"]
    for name, items in found.items():
        for item in items:
            goal = "" if item.goal is None else f"{item.goal[0]} {item.goal[1]:g}"
            met = {None: "", True: "reached", False: "**missed**"}[item.is_met]
            lines.append(f"| {name} | {item.name} | {item.value:.3g} {item.unit} | {goal} | {met} |")
    return "\n".join([*lines, "", ", ".join(f"{key} {value}" for key, value in machine.items())])


def describe_machine() -> dict[str, Any]:
    """What decides such numbers; no names, no paths."""
    import torch

    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return {
        "processor": platform.machine(),
        "cores": count_cores(),
        "bf16": next((name for name in ("amx_bf16", "avx512_bf16") if name in flags), "none"),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "opencv-python-headless", "ray", "pyarrow")},
    }


def _to_dict(item: Measurement) -> dict[str, Any]:
    return {**asdict(item), "is_met": item.is_met}


if __name__ == "__main__":
    main()
