"""What a person watches while a model trains: a live bar on a terminal, a line every so often elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from sflow_pipeline.training.run.loop import TrainingProgress

_LINE_EVERY_S = 30.0


class TrainingDisplay:
    """Images seen, stage, speed, time left and the loss terms."""

    def __init__(self, *, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._quiet = quiet
        console = Console(stderr=True)
        self._bar = None
        if console.is_terminal and not quiet:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                TextColumn("{task.fields[detail]}"), console=console,
            )  # fmt: skip
            self._task = self._bar.add_task("starting", total=None, detail="")
        self._last_line_s = 0.0

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, progress: "TrainingProgress") -> None:
        left_s = (progress.total_images - progress.images_seen) / max(progress.images_per_s, 1e-9)
        terms = " ".join(f"{name} {value:.3f}" for name, value in progress.terms.items())
        detail = f"{progress.images_per_s:.2f} images/s, {_format_duration(left_s)} left | {terms}"
        if self._bar:
            self._bar.update(
                self._task,
                description=progress.stage,
                total=progress.total_images,
                completed=progress.images_seen,
                detail=detail,
            )
        elif not self._quiet and time.monotonic() - self._last_line_s > _LINE_EVERY_S:
            self._last_line_s = time.monotonic()
            print(
                f"{progress.images_seen}/{progress.total_images} {progress.stage} {detail}", file=sys.stderr, flush=True
            )


def _format_duration(seconds: float) -> str:
    """Hours and minutes.

    >>> _format_duration(3720)
    '1:02 h'
    """
    return f"{int(seconds) // 3600}:{int(seconds) % 3600 // 60:02d} h"
