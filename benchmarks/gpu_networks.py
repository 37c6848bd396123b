"""The default bundle's generator by itself, run as it is, as a CUDA graph, and compiled: frames a second as JSON.

    python benchmarks/gpu_networks.py --size 512x256 --batch-size 8

Conversions replay CUDA graphs of all that is around it, too. On a CPU there are none.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.translator import Translator

#: How long each is run at least, after one second of warm-up.
_SECONDS = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", action="append", required=True)
    parser.add_argument("--batch-size", action="append", type=int, required=True)
    parser.add_argument("--no-compile", action="store_true", help="compilation takes minutes")
    chosen = parser.parse_args()
    if chosen.device == "cpu":
        torch.set_num_threads(1)  # as conversions have it
    bundle = load_bundle()
    translator = Translator(bundle, chosen.device)
    generator = translator.networks[1]
    channels = translator.classes + 3 * bundle.recipe.generator.use_palette
    found = []
    for size in chosen.size:
        width, height = map(int, size.split("x"))
        for batch_size in chosen.batch_size:
            shape = (batch_size, channels, height, width)
            semantic = torch.rand(shape, device=translator.device, dtype=translator.dtype)
            inputs = (semantic, semantic[:, :1].contiguous())
            ways: dict[str, Callable[[nn.Module, tuple[Tensor, ...]], Callable[[], object]]] = {"as it is": run_plainly}
            if translator.device != "cpu":
                ways["CUDA graph"] = capture
            if not chosen.no_compile:
                ways["compiled"] = compile_network
            for name, prepare in ways.items():
                row = {"size": size, "batch_size": batch_size, "way": name, "precision": translator.precision}
                found.append(row | measure_way(prepare, generator, inputs, batch_size, translator.device))
    print(json.dumps(found, indent=2))


def measure_way(
    prepare: Callable[[nn.Module, tuple[Tensor, ...]], Callable[[], object]],
    generator: nn.Module,
    inputs: tuple[Tensor, ...],
    frames: int,
    device: str,
) -> dict[str, Any]:
    """Frames a second, or why it did not run: one way that fails must not cost the others their numbers."""
    try:
        with torch.inference_mode():
            started = time.perf_counter()
            run = prepare(generator, inputs)
            run()
            wait(device)
            prepared = time.perf_counter()
            repeat(run, device)
            runs, seconds = repeat(run, device)
    except Exception as error:  # noqa: BLE001  whatever it is, it is the answer
        return {"error": f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"}
    return {"frames_per_s": round(runs * frames / seconds, 1), "prepared_in_s": round(prepared - started, 1)}


def repeat(run: Callable[[], object], device: str) -> tuple[int, float]:
    """How often it ran in about a second, and in which time."""
    runs, started = 0, time.perf_counter()
    while time.perf_counter() - started < _SECONDS:
        for _ in range(4):
            run()
        wait(device)
        runs += 4
    return runs, time.perf_counter() - started


def wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def run_plainly(generator: nn.Module, inputs: tuple[Tensor, ...]) -> Callable[[], object]:
    return lambda: generator(*inputs)


def capture(generator: nn.Module, inputs: tuple[Tensor, ...]) -> Callable[[], object]:
    """Its kernels as one graph, which is launched at once."""
    side = torch.cuda.Stream(inputs[0].device)
    side.wait_stream(torch.cuda.current_stream(inputs[0].device))
    with torch.cuda.stream(side):
        for _ in range(3):
            generator(*inputs)
    torch.cuda.current_stream(inputs[0].device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        generator(*inputs)
    return graph.replay


def compile_network(generator: nn.Module, inputs: tuple[Tensor, ...]) -> Callable[[], object]:
    compiled = torch.compile(generator, dynamic=False)
    return lambda: compiled(*inputs)


if __name__ == "__main__":
    main()
