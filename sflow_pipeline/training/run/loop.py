"""The training loop, counted in images seen."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sflow_pipeline.config.recipe import ScheduleRecipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.training.data.crops import CropBatch, CropSampler
from sflow_pipeline.training.data.prefetch import prefetch_batches
from sflow_pipeline.training.run.checkpoint import save_checkpoint
from sflow_pipeline.training.run.loss_log import LossLog, crossed
from sflow_pipeline.training.run.samples import write_sample_strip
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.train_step import train_step


@dataclass(frozen=True)
class TrainingProgress:
    """Progress after one step: images, the stage's name, images per second, and loss terms by name."""

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
    stop_after_s: float | None = None,
) -> None:
    """Train from ``state.images_seen`` to the end of the schedule; ``out`` gets checkpoints, losses and samples.

    Every process of a group calls this with the same state; its leader alone writes and reports progress.

    Args:
        stop_after_s: seconds of training after which a checkpoint is written and training stops; for one process.

    Raises:
        TrainingError: the processes of a group do not have the same state; see ``train_step`` too.
    """
    recipe, schedule, group = context.recipe, context.recipe.schedule, context.group
    _check_agreement(state, context)
    out.mkdir(parents=True, exist_ok=True)
    log = LossLog(out / "losses.csv", state.images_seen)
    started, first = time.monotonic(), state.images_seen
    for batch in _cut_batches(train, first, context):
        before = state.images_seen
        terms = train_step(state, batch, context)
        now = state.images_seen
        is_late = stop_after_s is not None and time.monotonic() - started > stop_after_s
        finished = now >= recipe.total_images or is_late
        is_checkpoint = crossed(before, now, schedule.checkpoint_every_images) or finished
        if is_checkpoint:
            _check_agreement(state, context)
        if not group.is_leader:
            continue
        log.add(now, terms)
        speed = (now - first) / (time.monotonic() - started)
        on_progress(TrainingProgress(now, recipe.total_images, name_stage(schedule, before), speed, terms))
        if crossed(before, now, schedule.sample_every_images) or finished:
            write_sample_strip(state, validation, context, out / "samples" / f"{now:09d}.png")
        if is_checkpoint:
            log.flush()
            save_checkpoint(state, out)
        if is_late:
            return


def name_stage(schedule: ScheduleRecipe, images_seen: int) -> str:
    """The stage of a schedule, for displays.

    >>> name_stage(ScheduleRecipe(warmup_images=100, laplacian_images=50), 60)
    'warm-up, joint'
    """
    stage = "laplacian" if images_seen < schedule.laplacian_images else "joint"
    return f"warm-up, {stage}" if images_seen < schedule.warmup_images else stage


def _cut_batches(sampler: CropSampler, first_image: int, context: StepContext) -> Iterator[CropBatch]:
    """The batches up to the end of the schedule, prefetched by threads for a GPU; a CPU has no idle core for that."""
    batch_size, last_image, group = context.recipe.schedule.batch_size, context.recipe.total_images, context.group
    if not context.device.is_cpu:
        return prefetch_batches(sampler, first_image, last_image, batch_size, group)
    return (sampler.cut_batch(number, batch_size, group) for number in range(first_image, last_image, batch_size))


def _check_agreement(state: TrainingState, context: StepContext) -> None:
    """Diverged processes would average their gradients silently."""
    if context.group.size == 1:
        return
    fingerprints = context.group.gather(state.fingerprint().to(context.device.name))
    different = [rank for rank, fingerprint in enumerate(fingerprints) if fingerprint != fingerprints[0]]
    if different:
        images = [int(fingerprints[rank][0]) for rank in (0, different[0])]
        raise TrainingError(
            f"workers 0 and {different[0]} do not hold the same weights, after {images[0]} and {images[1]} images",
            hint="put --out on storage that every machine has, and use the same hardware and versions on all of them",
        )
