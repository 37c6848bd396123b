"""Help pages stay as they are until somebody rewrites them on purpose: `UPDATE_GOLDEN=1 pytest tests/cli`."""

import os
from pathlib import Path

import pytest
from typer.main import get_command

from sflow_pipeline.cli.app import app

GOLDEN = Path(__file__).parents[1] / "golden" / "help"
COMMANDS = sorted(get_command(app).commands)


@pytest.mark.parametrize("name", ["", *COMMANDS], ids=["sflow-pipeline", *COMMANDS])
def test_help_page(name: str, run) -> None:
    done = run(*name.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    page = "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip("\n") + "\n"
    golden = GOLDEN / f"{name or 'sflow-pipeline'}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(page, encoding="utf-8")
    assert page == golden.read_text(encoding="utf-8")


def test_no_page_is_left_of_a_command_that_went() -> None:
    assert sorted(path.stem for path in GOLDEN.iterdir()) == sorted(["sflow-pipeline", *COMMANDS])


@pytest.mark.parametrize("columns", ["80", "100"])
@pytest.mark.parametrize("name", COMMANDS)
def test_examples_stand_whole_on_their_lines(name: str, columns: str, run_here) -> None:
    lines = [line.strip() for line in run_here(name, "--help", COLUMNS=columns).stdout.splitlines()]
    start = lines.index("Examples:")
    examples = [line for line in lines[start + 1 : start + 8] if line.startswith("sflow-pipeline ")]
    assert examples
    for example in examples:
        words = example.split()
        assert words[1] == name
        assert words[-1] != "\\" and len(words) > 2
        following = lines[lines.index(example) + 1]
        assert following == "" or following.startswith("sflow-pipeline "), f"{example!r} is broken: {following!r}"
