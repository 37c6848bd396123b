"""Files for following a run: the preview page, and events for TensorBoard."""

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from sflow_pipeline.training.run.loop import TrainingProgress

_PAGE_EVERY_S = 30.0


class TrainingObservers:
    """Writes ``preview.html`` every half minute and at the end, ``events/`` at every step; either only if asked for."""

    def __init__(self, out: Path, preview: bool, tensorboard: bool) -> None:
        from sflow_pipeline.training.run.event_log import EventLog

        self._out = out
        self._preview = preview
        self._events = EventLog(out / "events") if tensorboard else None
        self._page_written_s = 0.0
        self._trained = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._events:
            self._events.close()
        if self._trained:  # a run that was refused leaves the folder as it is
            self._write_page()

    def update(self, progress: "TrainingProgress") -> None:
        self._trained = True
        if self._events:
            self._events.add(progress)
        if time.monotonic() - self._page_written_s > _PAGE_EVERY_S:
            self._write_page()

    def _write_page(self) -> None:
        if self._preview:
            from sflow_pipeline.report.training_page import write_training_page

            write_training_page(self._out)
            self._page_written_s = time.monotonic()
