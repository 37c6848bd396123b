"""Command that is run at the end of a conversion, to tell people or systems."""

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from typing import Any

_TIMEOUT_S = 60.0


def notify(command: str, facts: Mapping[str, Any]) -> str:
    """Run a command with the end of a run; what went wrong with it, empty if nothing.

    Args:
        command: program and arguments; run without a shell, for at most a minute.
        facts: JSON-like; the command's standard input is all of them, and ``state``, ``out_dir`` and ``message`` are in
            the environment as ``SFLOW_STATE``, ``SFLOW_OUT_DIR`` and ``SFLOW_MESSAGE``.
    """
    variables = {f"SFLOW_{name.upper()}": str(facts.get(name, "")) for name in ("state", "out_dir", "message")}
    try:
        done = subprocess.run(  # noqa: S603  the user's own command
            shlex.split(command),
            input=json.dumps(facts, default=str),
            encoding="utf-8",
            errors="replace",
            capture_output=True,
            timeout=_TIMEOUT_S,
            env={**os.environ, **variables},
            check=False,
        )
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        return f"notify {command}: {error}"
    if done.returncode:
        return f"notify {command}: ended with exit code {done.returncode}: {done.stderr.strip()[-200:]}"
    return ""
