"""This process and its machine: name, cores, and whether another process still runs."""

import math
import os
import socket
from pathlib import Path

#: A container's CPU quota: "<quota> <period>" in microseconds, or "max <period>".
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def count_cores(quota_file: Path = _CPU_QUOTA) -> int:
    """Cores that this process may use: by affinity, and by the quota of its container; at least 1.

    Args:
        quota_file: ``cpu.max`` of cgroup v2; no limit where it cannot be read.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return cores


def host_name() -> str:
    """This machine and process namespace, in characters that are safe in file names.

    >>> "/" in host_name()
    False
    """
    try:
        namespace = os.readlink("/proc/self/ns/pid").removeprefix("pid:[").removesuffix("]")
    except OSError:
        namespace = "0"
    name = "".join(c if c.isalnum() or c == "." else "_" for c in socket.gethostname())
    return f"{name}.{namespace}"


def is_process_alive(pid: int) -> bool:
    """Whether a process of this machine runs; no process has a number below 1 or beyond the system's."""
    if pid < 1:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    try:  # a killed child that nobody waited for is dead
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True
