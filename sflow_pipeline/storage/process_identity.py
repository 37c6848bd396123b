"""Which machine and process wrote something, and whether it still runs: for locks and half-written files."""

import os
import socket
from pathlib import Path


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
    """Whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # a killed child that nobody waited for is dead
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True
