"""Short forms of the seeded fuzz and of the runs under fire; `make fuzz` and `make torture` run the long ones."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


def _run(name: str, *arguments: str) -> None:
    command = [sys.executable, str(HERE / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2400)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-4000:]
    assert "| --- |" in done.stdout


def test_fuzz() -> None:
    _run("fuzz.py", "--cases", "300", "--seed", "11")


def test_runs_on_this_machine() -> None:
    _run("torture.py", "--runs", "3", "--seed", "0", "--places", "local")


def test_runs_in_an_object_store() -> None:
    pytest.importorskip("moto.server")
    _run("torture.py", "--runs", "1", "--seed", "7", "--places", "store", "--event", "answers slow")
