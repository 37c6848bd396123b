"""What a person watches while a dataset is converted: a live bar on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from sflow_pipeline.conversion.plan import Action, Plan
    from sflow_pipeline.storage.commits import ShardRecord

_LINE_EVERY_S = 15.0


class ConversionDisplay:
    """Frames, shards, speed, time left and quarantined frames; everything goes to stderr.

    Args:
        quiet: show warnings only.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._bar = None
        if self._console.is_terminal and not quiet:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("frames{task.fields[detail]}"),
                TimeRemainingColumn(compact=True),
                console=self._console,
            )
            self._task = self._bar.add_task("starting", total=None, detail="")
        self._total_frames = self._total_shards = 0
        self._frames = self._shards = self._quarantined = 0
        self._started_s = self._last_line_s = time.monotonic()

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def on_step(self, text: str) -> None:
        """Name what is being done."""
        if self._bar is not None:
            self._bar.update(self._task, description=text)
        elif not self._quiet:
            self._console.print(text, markup=False)

    def on_warning(self, text: str) -> None:
        """Shown above the bar, and kept."""
        self._console.print("warning:", style="yellow", end=" ")
        self._console.print(text, markup=False)

    def on_plan(self, plan: "Plan") -> None:
        """Set the totals."""
        self._total_frames, self._total_shards = plan.frames_to_convert, len(plan.tasks)
        if not self._quiet:
            self._console.print(describe_plan(plan), markup=False)

    def on_engine(self, workers: int, device: str, precision: str) -> None:
        """Start the clock."""
        self._started_s = time.monotonic()
        if not self._quiet:
            self._console.print(f"{workers} worker{'s' * (workers > 1)}, {device}, {precision}", markup=False)

    def on_frames(self, frames: int) -> None:
        """Move the bar."""
        self._frames += frames
        self._show()

    def on_shard(self, record: "ShardRecord") -> None:
        """Count a shard and what it left out."""
        self._shards += 1
        self._quarantined += record.quarantined
        self._show()

    def _show(self) -> None:
        elapsed_s = time.monotonic() - self._started_s
        rate = self._frames / max(elapsed_s, 1e-9)
        # Frames of a shard that is tried again count twice; the bar must not run over its end.
        frames = min(self._frames, self._total_frames)
        detail = f", shard {self._shards}/{self._total_shards}, {rate:.1f} frames/s, {self._quarantined} quarantined"
        if self._bar is not None:
            self._bar.update(self._task, completed=frames, total=self._total_frames, detail=detail)
        elif not self._quiet and time.monotonic() - self._last_line_s > _LINE_EVERY_S:
            self._last_line_s = time.monotonic()
            left = f", about {format_duration((self._total_frames - frames) / rate)} left" if self._frames else ""
            line = f"{frames}/{self._total_frames} frames{detail}{left}"
            self._console.print(line, markup=False)


def describe_plan(plan: "Plan") -> str:
    """One line on what a run does.

    >>> from sflow_pipeline.conversion.plan import Plan
    >>> describe_plan(Plan((), ()))
    '0 shards of 0 frames: nothing to do'
    """
    actions: tuple[tuple[Action, str], ...] = (
        ("convert", "to convert"),
        ("redo", "to convert again"),
        ("keep", "unchanged"),
    )
    parts = [f"{plan.count(action)} {text}" for action, text in actions if plan.count(action)]
    if plan.removed:
        parts.append(f"{len(plan.removed)} to remove")
    return f"{len(plan.shards)} shards of {plan.frames} frames: {', '.join(parts) or 'nothing to do'}"


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
