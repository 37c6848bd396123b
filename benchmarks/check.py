"""Compares speed with what was kept: ratios to reference work of the same run, so that they hold on a busy machine.

``ratios.json`` holds the ratios by instruction set. A ratio that is 15 % above the kept one twice in a row fails.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

KEPT = Path(__file__).resolve().parent / "ratios.json"
#: How far above the kept ratio is too slow.
TOLERANCE = 1.15
SIZE_PX = (512, 256)
_FILES = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="keep what is measured now")
    parser.add_argument("--rounds", type=int, default=5, help="of which the medians count")
    chosen = parser.parse_args()
    import torch

    instructions = torch.backends.cpu.get_cpu_capability()
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    measured = measure_ratios(chosen.rounds)
    known = kept.get(instructions)
    if chosen.update or known is None:
        if known is None and not chosen.update:
            print(f"no ratios are kept for {instructions}; make bench-check CHECK_ARGS=--update keeps these:")
        print(render(measured, measured))
        if chosen.update:
            KEPT.write_text(json.dumps({**kept, instructions: measured}, indent=2, sort_keys=True) + "\n")
        return 0
    if list_slower(measured, known):
        again = measure_ratios(chosen.rounds)
        measured = {name: min(value, again[name]) for name, value in measured.items()}
    print(render(measured, known))
    slower = list_slower(measured, known)
    for name in slower:
        print(f"slower: {name} takes {measured[name] / known[name]:.2f} times what was kept", file=sys.stderr)
    return 1 if slower else 0


def list_slower(measured: Mapping[str, float], kept: Mapping[str, float]) -> list[str]:
    """Names whose ratio is more than the tolerance above the kept one.

    >>> list_slower({"model": 1.2, "gate": 1.1, "new": 9.0}, {"model": 1.0, "gate": 1.0})
    ['model']
    """
    return [name for name, value in measured.items() if value > TOLERANCE * kept.get(name, value)]


def render(measured: Mapping[str, float], kept: Mapping[str, float]) -> str:
    """The ratios as a table."""
    rows = [f"| {name} | {value:.3g} | {kept.get(name, value):.3g} |" for name, value in measured.items()]
    return "\n".join(["| work / reference | measured | kept |", "|---|---:|---:|", *rows])


def measure_ratios(rounds: int) -> dict[str, float]:
    """Processor time of work divided by that of its reference, in turns, one thread; medians over the rounds."""
    from sflow_pipeline.bench.clock import Clock
    from sflow_pipeline.bench.scene import Scene
    from sflow_pipeline.conversion.engines.memory_reuse import reused_memory
    from sflow_pipeline.conversion.engines.threads import single_threaded
    from sflow_pipeline.networks.device import Device

    clock = Clock("cpu")
    with tempfile.TemporaryDirectory(prefix="sflow-bench-") as temporary, single_threaded(), reused_memory():
        folder = Path(temporary)
        (folder / "scene").mkdir()
        scene = Scene(folder / "scene", None, SIZE_PX, Device("cpu", "fp32"), 1, 2)
        stages, bare = scene.list_stages(), scene.list_bare_stages()
        walk, index = _list_files(folder)
        convolve = _build_convolutions()
        pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "model / convolutions": (stages["model"], convolve),
            "gate / convolutions": (stages["gate"], convolve),
            "pipeline / convolutions": (stages["pipeline"], convolve),
            "decode / bare decoding": (stages["decode"], bare["decode"]),
            "encode / deflate": (stages["encode"], _build_deflate()),
            f"discovery of {_FILES} files / scandir": (index, walk),
        }
        for work, reference in pairs.values():
            work()
            reference()
        ratios: dict[str, list[float]] = {name: [] for name in pairs}
        for _ in range(rounds):
            for name, (work, reference) in pairs.items():
                ratios[name].append(clock.time(work) / clock.time(reference))
    return {name: round(median(values), 4) for name, values in ratios.items()}


def _build_convolutions() -> Callable[[], object]:
    """The pinned reference: 8 convolutions of 96 channels at a quarter of the size, leaky ReLU after each."""
    import torch
    import torch.nn.functional as F

    weight = torch.full((96, 96, 3, 3), 1e-3).contiguous(memory_format=torch.channels_last)
    image = torch.ones(1, 96, SIZE_PX[1] // 4, SIZE_PX[0] // 4).contiguous(memory_format=torch.channels_last)

    def convolve() -> None:
        x = image
        with torch.inference_mode():
            for _ in range(8):
                x = F.leaky_relu(F.conv2d(x, weight, padding=1), 0.2)

    return convolve


def _build_deflate() -> Callable[[], object]:
    import numpy as np

    data = np.random.default_rng(0).normal(0, 3, 1 << 20).astype(np.int8).tobytes()

    def deflate() -> None:
        packer = zlib.compressobj(1, zlib.DEFLATED, 15, 8, zlib.Z_RLE)
        packer.compress(data)
        packer.flush()

    return deflate


def _list_files(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """A walk with ``os.scandir`` that looks up every file, and discovery with the index, of one dump."""
    from discovery import index_files, walk
    from linked_dump import link_plain_dump

    root = str(link_plain_dump(folder, frames=_FILES // 2, size=(16, 8)))
    return lambda: walk(root, look_up=True), lambda: index_files(root)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    started = time.monotonic()
    code = main()
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    sys.exit(code)
