"""Runs the program as a person at a terminal, a script or CI would, and gives it a tiny dump to work on."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.__main__ import main

#: Runs the program under its installed name, whatever the name of the file that starts it.
PROGRAM = "import sys; sys.argv[0] = 'sflow-pipeline'; from sflow_pipeline.__main__ import main; main()"
COMMAND = [sys.executable, "-c", PROGRAM]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def plain_environment(**more: str) -> dict[str, str]:
    """A terminal without colours, 100 columns wide."""
    kept = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "CLICOLOR_FORCE")}
    return {**kept, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "OMP_NUM_THREADS": "1", **more}


@pytest.fixture(scope="session")
def command() -> list[str]:
    """The program, for tests that start it themselves."""
    return COMMAND


@pytest.fixture(scope="session")
def environment() -> Callable[..., dict[str, str]]:
    return plain_environment


@pytest.fixture(scope="session")
def run() -> Run:
    """Run the program with some arguments; nothing is raised, whatever its exit code."""

    def start(*arguments: str | Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=plain_environment(**variables),
            timeout=300,
        )

    return start


@pytest.fixture
def run_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """As ``run``, in this process: for the many ways to be refused, which need no process of their own."""

    def start(*arguments: str | Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        for name, value in plain_environment(**variables).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["sflow-pipeline", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(sys.argv, stop.value.code or 0, printed.out, printed.err)

    return start


@pytest.fixture
def bundle(random_bundle: Path) -> Path:
    return random_bundle


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """Three frames of the plain layout, 48x32, labelled in the bundle's own classes."""
    root = tmp_path / "sim"
    rng = np.random.default_rng(1)
    for kind in ("rgb", "semantic"):
        (root / "town" / kind).mkdir(parents=True)
    for frame in range(3):
        rows = np.roll(np.repeat(np.arange(4, dtype=np.uint8), 8), frame)
        label_map = rows[:, None] * np.ones((1, 48), np.uint8)
        assert cv2.imwrite(str(root / "town/rgb" / f"{frame:04}.png"), rng.integers(0, 256, (32, 48, 3), np.uint8))
        assert cv2.imwrite(str(root / "town/semantic" / f"{frame:04}.png"), label_map)
    (root / "dataset.yaml").write_text("label_space: camvid11\n")
    return root
