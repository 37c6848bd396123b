"""What asking for help costs."""

import resource
import subprocess
import sys
from pathlib import Path
from statistics import median

from measurement import Measurement, Options

_PROGRAM = Path(sys.executable).with_name("sflow-pipeline")


def measure(options: Options) -> list[Measurement]:
    """CPU seconds of ``sflow-pipeline --help`` beyond those of an interpreter that does nothing, in pairs."""
    program = [str(_PROGRAM)] if _PROGRAM.exists() else [sys.executable, "-m", "sflow_pipeline"]
    pairs = []
    for _ in range((options.repeats or 3) * 3):
        idle_s = _use_cpu([sys.executable, "-c", "pass"])
        pairs.append((_use_cpu([*program, "--help"]), idle_s))
    value = median(help_s - idle_s for help_s, idle_s in pairs)
    details = {"help_s": median(pair[0] for pair in pairs), "python_s": median(pair[1] for pair in pairs)}
    return [Measurement("--help beyond an idle python", value, "CPU s", ("below", 0.3), details)]


def _use_cpu(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
