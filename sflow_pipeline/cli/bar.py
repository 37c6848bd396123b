"""Progress bar of every command: live on a terminal, occasional lines with the time elsewhere; always on stderr."""

import threading
import time
from typing import Self

#: Seconds between lines of a command where stderr is no terminal.
LINE_EVERY_S = 15.0


class Bar:
    """Shows how much of a task is done; a context manager.

    Where stderr is no terminal, a step that takes long is named again at every interval, with the time that it took so
    far.

    Args:
        unit: what is counted, such as ``frames``.
        quiet: show warnings only.
        is_transient: remove the bar from the terminal at the end.
        line_every_s: seconds between lines where stderr is no terminal; None for no lines.
    """

    def __init__(
        self, unit: str, *, quiet: bool = False, is_transient: bool = False, line_every_s: float | None = None
    ) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._unit = unit
        self._quiet = quiet
        self._line_every_s = line_every_s
        self._bar = None
        if self._console.is_terminal and not quiet:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn(unit + "{task.fields[detail]}", markup=False),
                TimeRemainingColumn(compact=True),
                console=self._console,
                transient=is_transient,
            )
            self._task = self._bar.add_task("starting", total=None, detail="")
        self._step = self._detail = self._counted = ""
        self._step_since_s = time.monotonic()
        self._ended = threading.Event()
        self.restart_clock(0)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        elif self._line_every_s and not self._quiet:
            threading.Thread(target=self._repeat, name="sflow-bar", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        if self._bar is not None:
            self._bar.stop()

    def restart_clock(self, completed: int) -> None:
        """Begin to measure speed with this much done."""
        self._first = completed
        self._started_s = self._last_line_s = time.monotonic()

    def describe(self, text: str, *, detail: str = "") -> None:
        """Name the current step: beside the bar, or on a line of its own.

        Args:
            text: the step; the same one again only changes ``detail``.
            detail: how far it is.
        """
        is_new = text != self._step
        self._step, self._detail = text, detail
        if is_new:
            self._step_since_s, self._counted = time.monotonic(), ""
        if self._bar is not None:
            self._bar.update(self._task, description=_join(": ", text, detail))
        elif is_new:
            self._last_line_s = time.monotonic()
            self.print(text)

    def show(self, completed: int, total: int, *, description: str = "", detail: str = "") -> None:
        """Show progress.

        Args:
            completed, total: in units; more than the total counts as the total.
            description: beside the bar; as it was where empty.
            detail: behind the numbers.
        """
        completed = min(completed, total)
        if self._bar is not None:
            self._bar.update(
                self._task,
                description=description or None,
                completed=completed,
                total=total,
                detail=detail,
            )
        elif self._line_every_s is not None and time.monotonic() - self._last_line_s > self._line_every_s:
            self._last_line_s = time.monotonic()
            rate = (completed - self._first) / max(self._last_line_s - self._started_s, 1e-9)
            left = f", about {format_duration((total - completed) / rate)} left" if rate > 0 else ""
            step = f"{description}: " if description else ""
            self._counted = f"{step}{completed}/{total} {self._unit}{detail}"
            self.print(f"{self._counted}{left}")

    def _repeat(self) -> None:
        """Name the step again wherever there was no line for an interval."""
        assert self._line_every_s is not None
        while not self._ended.wait(self._line_every_s / 4):
            now = time.monotonic()
            if self._step and now - self._last_line_s > self._line_every_s:
                self._last_line_s = now
                text = _join(", ", _join(": ", self._step, self._detail), self._counted)
                self.print(f"{text}, for {format_duration(now - self._step_since_s)}")

    def print(self, text: str) -> None:
        """A line above the bar, unless quiet; with the time where stderr is no terminal."""
        if not self._quiet:
            self._console.print(f"{self._stamp()}{text}", markup=False)

    def warn(self, text: str) -> None:
        """A warning above the bar, also when quiet."""
        self._console.print(f"{self._stamp()}[yellow]warning:[/]", end=" ")
        self._console.print(text, markup=False)

    def _stamp(self) -> str:
        """The time in UTC for logs, nothing for people at a terminal."""
        return "" if self._console.is_terminal else time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime())


def _join(separator: str, *parts: str) -> str:
    return separator.join(part for part in parts if part)


def format_duration(seconds: float) -> str:
    """Seconds, minutes or hours.

    >>> format_duration(42), format_duration(200), format_duration(3720)
    ('42 s', '3:20 min', '1:02 h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
