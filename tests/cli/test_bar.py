"""The progress bar where stderr is no terminal: lines that begin with the time in UTC, or nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from sflow_pipeline.cli.bar import Bar


def read_line(line: str) -> str:
    """The text of a line, whose time is now."""
    time, _, text = line.partition(" ")
    assert abs(datetime.strptime(time, "%Y-%m-%dT%H:%M:%S%z") - datetime.now(UTC)) < timedelta(hours=1)
    return text


def test_lines_state_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("frames", line_every_s=0.0) as bar:
        bar.describe("converting")
        bar.show(3, 12, detail=", shard 1/4")
        bar.show(15, 12)  # a shard that was tried again
    printed = capsys.readouterr()
    lines = [read_line(line) for line in printed.err.splitlines()]
    assert printed.out == ""
    assert lines[0] == "converting"
    assert lines[1].startswith("3/12 frames, shard 1/4, about ") and lines[1].endswith(" left")
    assert lines[2].startswith("12/12 frames")


def test_without_an_interval_there_are_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("rows") as bar:
        bar.show(3, 12, description="exporting")
    assert capsys.readouterr().err == ""


def test_quiet_shows_warnings_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("frames", quiet=True, line_every_s=0.0) as bar:
        bar.describe("converting")
        bar.show(3, 12)
        bar.print("a line")
        bar.warn("low on space")
    assert read_line(capsys.readouterr().err) == "warning: low on space\n"


def test_a_step_that_takes_long_is_named_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A log is never silent: somebody who looks at it sees what goes on, and for how long."""
    printed = ""
    with Bar("frames", line_every_s=0.02) as bar:
        bar.describe("starting the workers")
        bar.describe("starting the workers", detail="1 of 2")
        while ", for 0 s\n" not in printed:
            printed += capsys.readouterr().err
    lines = [read_line(line) for line in printed.splitlines()]
    assert lines[:2] == ["starting the workers", "starting the workers: 1 of 2, for 0 s"]
