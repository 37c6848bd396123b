"""Runs a benchmark's measured half in a process of its own, so that one does not warm or fatten the next."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class ChildProcess:
    """``python FILE ARGUMENTS``: gets ready, says so, waits to be told, and answers with one line of JSON.

    The child calls ``wait_for_start`` when it is ready and ``answer`` when it is done.
    """

    def __init__(self, file: str, *arguments: object) -> None:
        environment = {**os.environ, "RAY_DEDUP_LOGS": "0", "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(file).resolve()), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_until_ready(self) -> None:
        """Return when the child has loaded what it needs."""
        self._read()

    def start(self) -> None:
        """Let the child begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("start\n")
        self._process.stdin.flush()

    def read_answer(self) -> dict[str, Any]:
        """Wait for what the child found."""
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                content: dict[str, Any] = json.loads(line)
                return content
        raise RuntimeError(f"{self._process.args!r} ended with exit code {self._process.wait()} and no answer")


def run_child(file: str, *arguments: object) -> dict[str, Any]:
    """Start a child, let it work, and return its answer."""
    with ChildProcess(file, *arguments) as child:
        child.wait_until_ready()
        child.start()
        return child.read_answer()


def wait_for_start() -> None:
    """In the child: say that it is ready, and wait to be told."""
    print("{}", flush=True)
    sys.stdin.readline()


def answer(**facts: Any) -> None:
    """In the child: what it found."""
    print(json.dumps(facts), flush=True)
