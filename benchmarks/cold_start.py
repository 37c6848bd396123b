"""What the first few frames cost: a conversion of eight frames in one process, from its start to its end."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from measurement import Measurement, Options

_LOAD = """
import torch
from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.translator import Translator
Translator(load_bundle(), "cpu")
"""
_CONVERT = ("-m", "sflow_pipeline", "convert", "--workers", "1", "--device", "cpu", "--contradictions", "ignore", "-q")


def measure(options: Options) -> list[Measurement]:
    """CPU seconds of ``convert`` on eight frames of two sizes, relative to importing torch and loading the model."""
    from sflow_pipeline.street.write_dump import write_sample_dump

    found = []
    for width, height in ((256, 128), (512, 256)):
        with tempfile.TemporaryDirectory() as folder:
            dump = str(Path(folder, "sim"))
            write_sample_dump(dump, sequences=1, frames=options.frames or 8, size=(width, height), seed=7)
            pairs = [
                (_use_cpu(*_CONVERT, dump, str(Path(folder, f"out{turn}"))), _use_cpu("-c", _LOAD))
                for turn in range(options.repeats or 3)
            ]
        details = {"convert_s": median(pair[0] for pair in pairs), "load_s": median(pair[1] for pair in pairs)}
        ratio = median(convert_s / load_s for convert_s, load_s in pairs)
        name = f"8 frames of {width}x{height} / import torch and load the model"
        found.append(Measurement(name, ratio, goal=("at most", 2), details=details))
    return found


def _use_cpu(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
