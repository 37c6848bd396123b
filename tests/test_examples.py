"""The examples run as their first lines say, at a small size."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("options", [[], ["--ahead"]])
def test_live_frames_come_back_with_percentiles_of_their_latency(options: list[str]) -> None:
    stated = ["--size=64x32", "--frames=3", "--precision=fp32", *options]
    command = [sys.executable, str(EXAMPLES / "live_frames.py"), *stated]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(
        r"64x32, 3 frames: 50 % within (\d+) ms, 90 % (\d+) ms, 99 % (\d+) ms\n[\d.]+ frames/s .*\n", done.stdout
    )
    assert found is not None, done.stdout
    median, most, nearly_all = map(int, found.groups())
    assert 0 < median <= most <= nearly_all
