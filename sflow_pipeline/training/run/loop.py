"""The training loop, clocked in images seen."""

import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.training.data.crops import CropBatch, CropSampler
from sflow_pipeline.training.data.prefetch import prefetch_batches
from sflow_pipeline.training.run.checkpoint import save_checkpoint
from sflow_pipeline.training.run.samples import write_sample_strip
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.train_step import train_step


@dataclass(frozen=True)
class TrainingProgress:
    """What a progress display is told after every step."""

    images_seen: int
    total_images: int
    stage: str
    images_per_s: float
    terms: dict[str, float]


def run_training(
    state: TrainingState,
    train: CropSampler,
    validation: CropSampler,
    context: StepContext,
    out: Path,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> None:
    """Train from ``state.images_seen`` to the end of the schedule; ``out`` gets checkpoints, losses and samples.

    In a team every process calls this with the same state; its leader alone writes and reports progress.

    Raises:
        TrainingError: the processes of a team do not hold the same state; see ``train_step`` too.
    """
    recipe, schedule, group = context.recipe, context.recipe.schedule, context.group
    _check_agreement(state, context)
    out.mkdir(parents=True, exist_ok=True)
    log = LossLog(out / "losses.csv", state.images_seen)
    started, first = time.monotonic(), state.images_seen
    for batch in _batches(train, first, context):
        before = state.images_seen
        terms = train_step(state, batch, context)
        now = state.images_seen
        finished = now >= recipe.total_images
        is_checkpoint = crossed(before, now, schedule.checkpoint_every_images) or finished
        if is_checkpoint:
            _check_agreement(state, context)
        if not group.is_leader:
            continue
        log.add(now, terms)
        speed = (now - first) / (time.monotonic() - started)
        stage = "laplacian" if before < schedule.laplacian_images else "joint"
        stage = f"warm-up, {stage}" if before < schedule.warmup_images else stage
        on_progress(TrainingProgress(now, recipe.total_images, stage, speed, terms))
        if crossed(before, now, schedule.sample_every_images) or finished:
            write_sample_strip(state, validation, context, out / "samples" / f"{now:09d}.png")
        if is_checkpoint:
            log.flush()
            save_checkpoint(state, out)


def _batches(sampler: CropSampler, first_image: int, context: StepContext) -> Iterator[CropBatch]:
    """The rest of the schedule; a GPU has them cut ahead of time, a CPU has nobody to spare for that."""
    batch_size, last_image, group = context.recipe.schedule.batch_size, context.recipe.total_images, context.group
    if context.device.type != "cpu":
        return prefetch_batches(sampler, first_image, last_image, batch_size, group)
    return (sampler.cut_batch(number, batch_size, group) for number in range(first_image, last_image, batch_size))


def _check_agreement(state: TrainingState, context: StepContext) -> None:
    """Weights that differ between processes would be averaged into nonsense without a word."""
    if context.group.size == 1:
        return
    held = context.group.gather(state.fingerprint().to(context.device))
    different = [rank for rank, theirs in enumerate(held) if theirs != held[0]]
    if different:
        clocks = [int(held[rank][0]) for rank in (0, different[0])]
        raise TrainingError(
            f"workers 0 and {different[0]} do not hold the same weights, after {clocks[0]} and {clocks[1]} images",
            hint="put --out on storage that every machine sees, and use the same hardware and versions on all of them",
        )


class LossLog:
    """``losses.csv``: the mean of each term over every 100 images; rows past the point of a resume are dropped.

    A checkpoint ends a row, however few images it is of, so that a resumed run writes the rows of one that was not.
    """

    def __init__(self, path: Path, images_seen: int, window_images: int = 100) -> None:
        self.path = path
        self.window_images = window_images
        self._pending: list[tuple[int, dict[str, float]]] = []
        rows = list(csv.reader(path.open())) if path.exists() else []
        self._header = rows[0] if rows else []
        self._rows = [row for row in rows[1:] if int(row[0]) <= images_seen]

    def add(self, images_seen: int, terms: dict[str, float]) -> None:
        self._pending.append((images_seen, terms))
        if crossed(self._pending[0][0] - 1, images_seen, self.window_images):
            self._end_row()

    def _end_row(self) -> None:
        seen = dict.fromkeys(name for _, t in self._pending for name in t)
        self._header = self._header or ["images_seen"]
        self._header += [name for name in seen if name not in self._header]
        values = ([t[name] for _, t in self._pending if name in t] for name in self._header[1:])
        # Some terms are not computed in every step, and a window may have none of them.
        self._rows.append([str(self._pending[-1][0]), *(f"{sum(v) / len(v):.5f}" if v else "" for v in values)])
        self._pending.clear()

    def flush(self) -> None:
        if self._pending:
            self._end_row()
        with self.path.open("w", newline="") as file:
            # Rows from before a term was there end early; blanks keep the table a table.
            rows = [[*row, *[""] * (len(self._header) - len(row))] for row in self._rows]
            csv.writer(file).writerows([self._header, *rows])


def crossed(before: int, after: int, every: int) -> bool:
    """Whether a multiple of ``every`` lies between two times of the clock.

    >>> crossed(98, 100, 100), crossed(100, 102, 100)
    (True, False)
    """
    return before // every != after // every
