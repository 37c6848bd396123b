"""Colours and moving bars are for a person at a terminal who wants them, and for nobody else."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

#: SGR sequences that set a foreground or background colour; bold and dim are none.
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|4[0-7]|9[0-7]|38|48)(?:;\d+)*m")
ESCAPE = "\x1b"


@pytest.fixture
def look(command: list[str], environment):
    """Run the program on a terminal of its own and return what stands there at the end."""

    def start(*arguments: str | Path, **variables: str) -> str:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env=environment(TERM="xterm-256color", **variables),
        )
        os.close(theirs)
        seen = b""
        try:
            while chunk := os.read(ours, 1 << 16):
                seen += chunk
        except OSError:  # how Linux says that the other end is closed
            pass
        finally:
            os.close(ours)
            process.wait(timeout=60)
        return seen.decode()

    return start


@pytest.fixture
def broken_dataset(run_here, dump: Path, bundle: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    assert run_here("convert", dump, out, "--bundle", bundle, "--workers=1").returncode == 0
    next((out / "data").rglob("*.parquet")).write_bytes(b"damaged")
    return out


def test_no_color_is_obeyed(look, broken_dataset: Path) -> None:
    for arguments in (["--help"], ["convert", "a", "b", "--varients=3"], ["verify", broken_dataset]):
        assert COLOUR.search(look(*arguments, NO_COLOR="")), arguments
        assert not COLOUR.search(look(*arguments, NO_COLOR="1")), arguments


def test_a_pipe_gets_plain_text(run, broken_dataset: Path, dump: Path) -> None:
    for arguments in (["inspect", dump], ["verify", broken_dataset], ["convert", "a", "b", "--varients=3"]):
        done = run(*arguments, NO_COLOR="", TERM="xterm-256color")
        assert done.stdout or done.stderr
        assert ESCAPE not in done.stdout + done.stderr, arguments


def test_a_person_sees_a_bar_and_gets_the_cursor_back(look, dump: Path, bundle: Path, tmp_path: Path) -> None:
    seen = look("convert", dump, tmp_path / "out", "--bundle", bundle, "--workers=1")
    assert "3/3 frames" in seen
    assert seen.rfind("\x1b[?25h") > seen.rfind("\x1b[?25l") >= 0
