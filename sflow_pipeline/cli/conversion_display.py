"""Display of a running conversion: a live bar on a terminal, plain lines elsewhere."""

import time
from typing import TYPE_CHECKING, Self

from sflow_pipeline.cli.bar import LINE_EVERY_S, Bar

if TYPE_CHECKING:
    from sflow_pipeline.conversion.plan.plan import Action, Plan
    from sflow_pipeline.storage.commits import ShardRecord


class ConversionDisplay:
    """Frames, shards, speed, time left and quarantined frames; everything goes to stderr.

    Args:
        quiet: show warnings only.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._bar = Bar("frames", quiet=quiet, line_every_s=LINE_EVERY_S)
        self._total_frames = self._total_shards = 0
        self._frames = self._shards = self._quarantined = 0
        self._started_s = time.monotonic()
        self._step = ""

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.__exit__(*error)

    def on_step(self, text: str) -> None:
        """Name the current step."""
        self._step = text
        self._bar.describe(text)

    def on_count(self, done: int, total: int, unit: str) -> None:
        """Say how much of the current step is done."""
        self._bar.describe(self._step, detail=f"{done} of {total} {unit}" if done < total else "")

    def on_warning(self, text: str) -> None:
        """Show a warning above the bar."""
        self._bar.warn(text)

    def on_plan(self, plan: "Plan") -> None:
        """Set the totals."""
        self._total_frames, self._total_shards = plan.frames_to_convert, len(plan.tasks)
        self._bar.print(describe_plan(plan))

    def on_engine(self, workers: int, device: str, precision: str) -> None:
        """Start the clock."""
        self._started_s = time.monotonic()
        self._bar.restart_clock(0)
        self._bar.print(f"{workers} worker{'s' * (workers > 1)}, {device}, {precision}")

    def on_frames(self, frames: int) -> None:
        """Move the bar."""
        self._frames += frames
        self._show()

    def on_shard(self, record: "ShardRecord") -> None:
        """Count a shard and its quarantined frames."""
        self._shards += 1
        self._quarantined += record.quarantined
        self._show()

    def _show(self) -> None:
        rate = self._frames / max(time.monotonic() - self._started_s, 1e-9)
        detail = f", shard {self._shards}/{self._total_shards}, {rate:.1f} frames/s, {self._quarantined} quarantined"
        # Frames of a shard that is tried again count twice; the bar stops at the total.
        self._bar.show(self._frames, self._total_frames, detail=detail)


def describe_plan(plan: "Plan") -> str:
    """Shards and frames of a plan in one line.

    >>> from sflow_pipeline.conversion.plan.plan import Plan
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
