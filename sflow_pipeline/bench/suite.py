"""Runs the benchmarks: every stage of every setting in turns, the machine's ceilings beside them."""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch

from sflow_pipeline.bench.ceilings import Ceilings, measure_ceilings
from sflow_pipeline.bench.clock import Clock
from sflow_pipeline.bench.operations import Operations
from sflow_pipeline.bench.options import BenchOptions, load_painter
from sflow_pipeline.bench.result import BenchResult, Row
from sflow_pipeline.bench.scene import Scene
from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.portable.exported_networks import read_export
from sflow_pipeline.conversion.engines.memory_reuse import reused_memory
from sflow_pipeline.conversion.engines.threads import single_threaded
from sflow_pipeline.errors import SflowError
from sflow_pipeline.networks.device import resolve_device
from sflow_pipeline.networks.memory_shortage import is_out_of_memory
from sflow_pipeline.storage.process_identity import count_cores


def run_bench(options: BenchOptions, on_step: Callable[[str], None] = lambda _text: None) -> BenchResult:
    """Measure everything that ``options`` asks for; on a CPU with one thread, as a worker of a conversion has.

    Args:
        options: what is measured.
        on_step: told what is measured next, in words.

    Raises:
        UsageError: there is no such device or generator.
        BundleError: there is no such bundle.
        SflowError: memory is too short for a setting.
    """
    against = None if options.against is None else (options.against, load_painter(options.against))
    bundle = load_bundle(options.bundle)
    if options.backend is not None:
        read_export(Path(options.backend), bundle, options.bundle or bundle.name)
    devices = [resolve_device(options.device, precision) for precision in options.precisions]
    with single_threaded(), reused_memory():
        on_step("ceilings of the machine")
        ceilings = measure_ceilings(devices)
        rows = []
        for size_px in options.sizes_px:
            for device in devices:
                for batch_size in options.batch_sizes:
                    on_step(f"{size_px[0]}x{size_px[1]}, {device.precision}, batch {batch_size}")
                    with TemporaryDirectory(prefix="sflow-bench-") as folder, _named_shortage(size_px, batch_size):
                        scene = Scene(
                            Path(folder),
                            options.bundle,
                            size_px,
                            device,
                            batch_size,
                            options.frames,
                            against,
                            options.backend,
                        )
                        rows += _measure(scene, ceilings, options.repeats)
    return BenchResult(rows, ceilings, describe_machine(devices[0].name), Clock(devices[0].name).unit)


@contextmanager
def _named_shortage(size_px: tuple[int, int], batch_size: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise SflowError(
            f"--size {size_px[0]}x{size_px[1]} --batch-size {batch_size}: memory is too short",
            hint="measure a smaller --batch-size or --size, or end other programs",
        ) from error


def describe_machine(device: str) -> dict[str, Any]:
    """What decides such numbers; no names, no paths.

    Args:
        device: that is measured; another GPU than the first has its own name.
    """
    gpu = device if device.startswith("cuda") else None
    return {
        "processor": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": count_cores(),
        "gpu": torch.cuda.get_device_name(gpu) if torch.cuda.is_available() else "none",
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "opencv-python-headless", "pyarrow")},
    }


def _measure(scene: Scene, ceilings: Ceilings, repeats: int) -> list[Row]:
    """Rows of one setting; in every round each stage has its turn, so that a slow moment meets all of them."""
    stages, bare = scene.list_stages(), scene.list_bare_stages()
    seconds: dict[str, list[float]] = {name: [] for name in stages}
    bare_seconds: dict[str, list[float]] = {name: [] for name in bare}
    operations = scene.model_operations
    clock = Clock(scene.device.name)
    clocks = {"write": Clock("disk")}
    for _ in range(repeats):
        for name, run in stages.items():
            seconds[name].append(clocks.get(name, clock).time(run) / scene.count)
        for name, run in bare.items():
            bare_seconds[name].append(clock.time(run) / scene.count)
    rows = []
    for name, values in seconds.items():
        share, ceiling = _compare(name, values, seconds, bare_seconds, operations, ceilings, scene)
        is_model = name == "model"
        rows.append(
            Row(
                scene.size_px,
                scene.device.precision,
                scene.batch_size,
                name,
                ms=1e3 * median(values),
                ms_least=1e3 * min(values),
                ms_most=1e3 * max(values),
                share=share,
                ceiling=ceiling,
                gflop=operations.flop / 1e9 if is_model else None,
                megabytes=operations.bytes / 1e6 if is_model else None,
                bytes={"decode": scene.source_bytes, "encode": scene.image_bytes, "write": scene.row_bytes}.get(name),
            )
        )
    return rows


def _compare(
    name: str,
    values: list[float],
    seconds: dict[str, list[float]],
    bare: dict[str, list[float]],
    operations: Operations,
    ceilings: Ceilings,
    scene: Scene,
) -> tuple[float | None, str]:
    """The share of its ceiling that a stage reaches, and which that is."""
    width, height = scene.size_px
    taken = median(values)
    if name == "model":
        return operations.flop / ceilings.flop_per_s[scene.device.precision] / taken, "arithmetic"
    if name == "decode":
        return median(b / v for b, v in zip(bare["decode"], values, strict=True)), "the picture's PNG alone"
    if name == "encode":
        return 3 * width * height / ceilings.deflate_bytes_per_s / taken, "deflate"
    if name == "write":
        return scene.row_bytes / ceilings.disk_bytes_per_s / taken, "disk"
    if name == "pipeline":
        return median(m / v for m, v in zip(seconds["model"], values, strict=True)), "the model alone"
    if name == "gate":
        return None, ""
    return median(m / v for m, v in zip(seconds["model"], values, strict=True)), "speed relative to the model"
