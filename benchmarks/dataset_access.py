"""Reading through `open_dataset` against reading the same PNG files one by one: how many times as fast.

    python benchmarks/dataset_access.py [DATASET] [--rows 256] [--rounds 5]

Without a dataset, one is drawn at 512x256. Both sides decode picture and label to the same arrays, in one process and
one thread, files in the page cache; they take turns row by row, and each row's best round counts.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from sflow_pipeline.bundle import build_random_bundle
from sflow_pipeline.bundle.translator import Translation
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.dataset.sample_dataset import SampleDataset, open_dataset
from sflow_pipeline.street.write_dump import write_sample_dump

COLUMNS = ("image", "label")


def measure(dataset_dir: str, *, rows: int = 256, rounds: int = 5) -> dict[str, Any]:
    """Ratios of a dataset's speed over that of PNG files; above 1 the dataset is faster.

    ``decode_ratio`` is over bare OpenCV on the same bytes: nobody checks there that a file is whole.
    """
    dataset = open_dataset(dataset_dir, columns=COLUMNS)
    count = min(rows, len(dataset))
    shuffled = np.random.default_rng(0).permutation(len(dataset))[:count].tolist()
    stream = dataset.stream(shuffle=False, rank=0, world_size=1)
    with tempfile.TemporaryDirectory() as scratch:
        files = _write_files(dataset, range(len(dataset)), Path(scratch))
        at_random = {"files": lambda i: _read_files(files[shuffled[i]]), "dataset": lambda i: dataset[shuffled[i]]}
        in_order = {"files": lambda i: _read_files(files[i]), "dataset": lambda i: dataset[i]}
        stored = [dataset.read_values(i) for i in range(count)]
        decoders = {"files": lambda i: _decode_bare(stored[i]), "dataset": lambda i: dataset.decode_values(stored[i])}
        decode_s = _time(decoders, count, rounds)
        random_s = _time(at_random, count, rounds)
        sequential_s = _time(in_order, count, rounds)
        streams = [iter(stream) for _ in range(rounds + 1)]
        turn = iter([found for found in streams for _ in range(count)])
        stream_s = _time({"files": in_order["files"], "dataset": lambda _i: next(next(turn))}, count, rounds)
    return {
        "rows": count,
        "size_px": list(reversed(dataset[0].image.shape[:2])),
        "random_access_ratio": round(random_s["files"] / random_s["dataset"], 3),
        "sequential_ratio": round(sequential_s["files"] / sequential_s["dataset"], 3),
        "stream_ratio": round(stream_s["files"] / stream_s["dataset"], 3),
        "decode_ratio": round(decode_s["files"] / decode_s["dataset"], 3),
        "files_random_ms": round(1000 * random_s["files"] / count, 3),
    }


def _time(contenders: dict[str, Callable[[int], object]], count: int, rounds: int) -> dict[str, float]:
    """Seconds of each for all positions: the best of the rounds at each position, after one round to warm up.

    Processor seconds of this thread: everything is in memory, and on a busy machine the clock on the wall mostly
    measures who was interrupted.
    """
    seconds: dict[str, list[list[float]]] = {name: [[] for _ in range(count)] for name in contenders}
    for _ in range(rounds + 1):
        for position in range(count):
            for name, run in contenders.items():
                started = time.thread_time()
                run(position)
                seconds[name][position].append(time.thread_time() - started)
    return {name: sum(min(times[1:]) for times in found) for name, found in seconds.items()}


def draw_dataset(folder: Path, *, frames: int = 96) -> str:
    """A dataset of drawn streets at 512x256; the pictures are the simulator's, since only their size matters here."""
    write_sample_dump(folder / "sim", sequences=2, frames=frames // 2, size=(512, 256), workers=1)
    build_random_bundle(folder / "bundle", seed=0)
    job = {
        "sim_dir": str(folder / "sim"),
        "out_dir": str(folder / "out"),
        "bundle": str(folder / "bundle"),
        "workers": 1,
    }
    convert(build_job(job), build_translator=Unchanged)
    return str(folder / "out")


class Unchanged:
    """A model that gives the render back."""

    def translate(self, class_index: Any, render: Any, alpha: Any, **_look: Any) -> Translation:  # noqa: ARG002
        edge = np.zeros(render.shape[:3], np.uint8)
        return Translation(photo=render, edge=edge)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        dataset = options.dataset or draw_dataset(Path(scratch))
        return measure(dataset, rows=options.rows, rounds=options.rounds)


def _write_files(dataset: SampleDataset[Any], indices: Sequence[int], folder: Path) -> list[list[Path]]:
    files = []
    for index in indices:
        values = dataset.read_values(index)
        paths = [folder / f"{index:06}_{column}.png" for column in COLUMNS]
        for path, column in zip(paths, COLUMNS, strict=True):
            path.write_bytes(values[column]["bytes"])
        files.append(paths)
    return files


def _read_files(paths: list[Path]) -> tuple[Any, Any]:
    image = cv2.cvtColor(cv2.imread(str(paths[0]), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    label = cv2.imread(str(paths[1]), cv2.IMREAD_UNCHANGED)
    return image, label


def _decode_bare(values: dict[str, Any]) -> tuple[Any, Any]:
    image, label = (np.frombuffer(values[column]["bytes"], np.uint8) for column in COLUMNS)
    return cv2.cvtColor(cv2.imdecode(image, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), cv2.imdecode(
        label, cv2.IMREAD_UNCHANGED
    )


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
