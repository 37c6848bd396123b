"""Help pages: fixed texts (`UPDATE_GOLDEN=1 pytest tests/cli` rewrites them), shown without loading heavy libraries."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.main import get_command

from sflow_pipeline.cli.app import app

# All pages come from one process, which one test process starts.
pytestmark = pytest.mark.xdist_group("help")

GOLDEN = Path(__file__).parents[1] / "golden" / "help"
GROUPS = {name: command for name, command in get_command(app).commands.items() if hasattr(command, "commands")}
#: Words of a command; those of a group have two.
COMMANDS = sorted(
    [name for name in get_command(app).commands if name not in GROUPS]
    + [f"{group} {name}" for group, command in GROUPS.items() for name in command.commands]
)
PAGES: dict[str, list[str]] = {"sflow-pipeline": [], **{name: name.split() for name in (*COMMANDS, *GROUPS)}}
HEAVY = {"torch", "ray", "cv2", "pyarrow", "numpy"}
#: Prints, for each list of arguments, a JSON line with what was printed and which top-level modules are loaded.
PRINT_PAGES = """
import contextlib, io, json, sys
from sflow_pipeline.__main__ import main

for arguments in json.loads(sys.argv[1]):
    sys.argv = ["sflow-pipeline", *arguments, "--help"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main()
    print(json.dumps([printed.getvalue(), sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.fixture(scope="module")
def pages(environment: Callable[..., dict[str, str]]) -> dict[str, tuple[str, list[str]]]:
    """Name -> help page, and the modules loaded once it was printed."""
    done = subprocess.run(
        [sys.executable, "-c", PRINT_PAGES, json.dumps([*PAGES.values()])],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {name: (page, loaded) for name, (page, loaded) in zip(PAGES, lines, strict=True)}


@pytest.mark.parametrize("name", PAGES)
def test_help_page(name: str, pages: dict[str, tuple[str, list[str]]]) -> None:
    page = "\n".join(line.rstrip() for line in pages[name][0].splitlines()).strip("\n") + "\n"
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(page, encoding="utf-8")
    assert page == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_help_loads_nothing_heavy(name: str, pages: dict[str, tuple[str, list[str]]]) -> None:
    assert HEAVY & set(pages[name][1]) == set()


def test_no_page_is_left_of_a_command_that_went() -> None:
    assert sorted(path.stem for path in GOLDEN.iterdir()) == sorted(PAGES)


@pytest.mark.parametrize("columns", ["80", "100"])
@pytest.mark.parametrize("name", COMMANDS)
def test_examples_stand_whole_on_their_lines(name: str, columns: str, run_here) -> None:
    lines = [line.strip() for line in run_here(*name.split(), "--help", COLUMNS=columns).stdout.splitlines()]
    start = lines.index("Examples:")
    examples = [line for line in lines[start + 1 : start + 8] if line.startswith("sflow-pipeline ")]
    assert examples
    for example in examples:
        words = example.split()
        assert " ".join(words[1:]).startswith(f"{name} ")
        assert words[-1] != "\\" and len(words) > 2
        following = lines[lines.index(example) + 1]
        assert following == "" or following.startswith("sflow-pipeline "), f"{example!r} is broken: {following!r}"
