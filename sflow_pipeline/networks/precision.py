"""The faster number format of this machine's CPU, measured once and cached on disk."""

import contextlib
import hashlib
import json
import os
import platform
import time
from pathlib import Path
from typing import Literal

import torch

from sflow_pipeline.networks.generators.compact import CompactGenerator

#: bf16 loses accuracy, so it must be clearly faster.
_MOST_TIME = 0.8
_RUNS = 6
_SIZE_PX = (96, 128)


def choose_cpu_precision() -> Literal["fp32", "bf16"]:
    """``bf16`` where the CPU multiplies it natively and a small generator takes at most 0.8 of the fp32 time in it.

    Instruction sets alone do not decide: with AMX, bf16 takes a third of the time of fp32; with AVX-512 BF16 alone it
    was measured slower. The first call on a machine takes half a second; its answer is kept in
    ``$XDG_CACHE_HOME/sflow-pipeline/precision.json``, by CPU and torch version, so that later runs on the machine,
    which may be busier, choose alike. Remove the file to measure again.
    """
    if not torch.cpu._is_avx512_bf16_supported():
        return "fp32"
    path = _find_cache()
    key = f"{_identify_cpu()}, torch {torch.__version__}"
    cached = _read(path)
    if key in cached:
        return "bf16" if cached[key] == "bf16" else "fp32"
    chosen: Literal["fp32", "bf16"] = "bf16" if _measure_ratio() <= _MOST_TIME else "fp32"
    with contextlib.suppress(OSError):  # without a cache every run measures
        _write(path, cached | {key: chosen})
    return chosen


@torch.inference_mode()
def _measure_ratio() -> float:
    """Time of a small compact generator in bf16, divided by its time in fp32, on one thread.

    The shortest of interleaved runs: other load on the machine makes runs longer, never shorter.
    """
    with torch.random.fork_rng(devices=[]):
        networks = {
            dtype: CompactGenerator(classes=12, blocks=1).to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for dtype in (torch.float32, torch.bfloat16)
        }
    seconds: dict[torch.dtype, list[float]] = {dtype: [] for dtype in networks}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(_RUNS + 1):  # the first run compiles kernels
            for dtype, network in networks.items():
                semantic, edge = (torch.zeros(1, channels, *_SIZE_PX, dtype=dtype) for channels in (12, 1))
                start = time.perf_counter()
                network(semantic, edge)
                seconds[dtype].append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return min(seconds[torch.bfloat16]) / min(seconds[torch.float32])


def _identify_cpu() -> str:
    """Model name and a digest of the instruction sets; virtual machines name many CPUs alike."""
    with contextlib.suppress(OSError):
        block = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
        facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in block.splitlines())}
        identity = [facts.get(key, "") for key in ("vendor_id", "cpu family", "model", "stepping", "flags")]
        digest = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:12]
        return f"{facts.get('model name', platform.machine())} {digest}"
    return f"{platform.processor() or platform.machine()} {platform.system()}"


def _find_cache() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "sflow-pipeline" / "precision.json"


def _read(path: Path) -> dict[str, str]:
    """What was measured before; empty where nothing was, or the file is damaged."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, content: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(temporary, path)
