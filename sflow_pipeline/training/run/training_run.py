"""Inputs of a training run, checked before any data is read."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sflow_pipeline.bundle import Bundle, load_bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import OutputError, TrainingError, UsageError
from sflow_pipeline.networks.device import Device, resolve_device
from sflow_pipeline.networks.features.efficientnet_lite import EfficientNetLiteFeatures
from sflow_pipeline.networks.features.perceptual import PerceptualNetwork, load_perceptual
from sflow_pipeline.training.data.crops import find_video_pairs
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.process_group import WorkerOptions
from sflow_pipeline.training.run.loop import TrainingProgress

OnProgress = Callable[[TrainingProgress], None]

#: Files and folders of a run, beside checkpoints and hidden files.
_RUN_FILES = {
    "cache", "samples", "losses.csv", "curves.svg", "bundle", "log.txt", "segmenter", "preview.html", "events",
}  # fmt: skip


@dataclass(frozen=True)
class TrainingRun:
    """Inputs of a run, checked by ``build``.

    Attributes:
        recipe: ``use_instances: auto`` is resolved once the photos are read.
        network, network_name: the perceptual network, None for none, and its name in the bundle.
        projection: network of the projected discriminator, None for none.
        renders: folders of simulator frames to train on beside the photos.
        teacher: bundle whose pictures are followed on photos with appearance 0, None for none.
        minutes: of training after which the run stops at a checkpoint, None for no limit.
        device: of this process; ``cpu`` with ``workers``, whose devices are ``worker_device``.
        worker_device: as the user stated it.
    """

    recipe: Recipe
    data: str | Sequence[str]
    out: Path
    network: PerceptualNetwork | None
    network_name: str
    projection: PerceptualNetwork | None
    renders: Sequence[str]
    minutes: float | None
    device: Device
    worker_device: str
    workers: WorkerOptions | None
    start: Bundle | None
    teacher: Bundle | None
    on_progress: OnProgress

    @classmethod
    def build(
        cls,
        recipe: Recipe,
        data: str | Sequence[str],
        out: Path,
        *,
        perceptual: Path | None,
        projection: Path | None,
        renders: Sequence[str],
        minutes: float | None,
        device: str,
        workers: WorkerOptions | None,
        start: Bundle | None,
        teacher: Bundle | None,
        on_progress: OnProgress,
    ) -> "TrainingRun":
        """Check what can be checked before the data is read, and create ``out``.

        Raises:
            UsageError: no such device, workers cannot share the batch, or the recipe and ``renders`` disagree.
            TrainingError: unreadable weights.
            OutputError: ``out`` cannot be written, is nearly full, or holds other files.
        """
        network = load_perceptual(perceptual) if perceptual else None
        name = f"{network.name} ({perceptual.name})" if network and perceptual else "none"
        projected = load_perceptual(projection) if projection else None
        _check_renders(recipe, renders)
        _check_comparisons(recipe, perceptual, projection)
        _check_teacher(recipe, teacher)
        _check_pairs(recipe)
        if minutes is not None and (minutes <= 0 or workers):
            raise UsageError(
                f"--minutes {minutes:g}: " + ("workers cannot stop by the clock" if workers else "must be above 0"),
                hint="leave out --workers and --address, or set schedule.joint_images"
                if workers
                else "use --minutes 12",
            )
        if workers:
            _check_workers(workers, recipe, device)
        resolved = resolve_device("auto" if workers else device, recipe.precision)
        _check_out(out)
        return cls(
            recipe,
            data,
            out,
            network,
            name,
            projected,
            renders,
            minutes,
            resolved,
            device,
            workers,
            start,
            teacher,
            on_progress,
        )


def _check_workers(options: WorkerOptions, recipe: Recipe, device: str) -> None:
    workers, batch = options.workers, recipe.schedule.batch_size
    if batch % workers:
        fitting = max(n for n in range(1, workers) if batch % n == 0)
        raise UsageError(
            f"--workers {workers}: schedule.batch_size {batch} cannot be shared evenly",
            hint=f"use --workers {fitting}, or --set schedule.batch_size={(batch // workers + 1) * workers}",
        )
    for name in ("render_batch_size", "pair_batch_size", "render_pair_batch_size"):
        number = getattr(recipe.schedule, name)
        if number % workers:
            raise UsageError(
                f"--workers {workers}: schedule.{name} {number} cannot be shared evenly",
                hint=f"use --set schedule.{name}={(number // workers + 1) * workers}",
            )
    if device.startswith("cuda:"):
        raise UsageError(f"--device {device}: Ray gives every worker its GPU", hint="use --device cuda")


def _check_teacher(recipe: Recipe, teacher: Bundle | None) -> None:
    if recipe.loss.teacher and teacher is None:
        raise UsageError(
            f"recipe {recipe.name}: loss.teacher is {recipe.loss.teacher:g}, and there is no teacher",
            hint="add --teacher BUNDLE, or --set loss.teacher=0",
        )
    if teacher is not None and not (recipe.loss.teacher and recipe.generator.use_appearance):
        raise UsageError(
            f"--teacher {teacher.name}: loss.teacher is {recipe.loss.teacher:g} and generator.use_appearance is "
            f"{recipe.generator.use_appearance}, so it would not be used",
            hint="add --set loss.teacher=20 --set generator.use_appearance=true, or leave out --teacher",
        )


def _check_renders(recipe: Recipe, renders: Sequence[str]) -> None:
    wanted = recipe.schedule.render_batch_size
    if wanted and not renders:
        raise UsageError(
            f"recipe {recipe.name}: schedule.render_batch_size is {wanted}, and there are no simulator frames",
            hint="add --renders SIM_DIR, or --set schedule.render_batch_size=0",
        )
    if renders and not wanted:
        raise UsageError(
            f"--renders {renders[0]}: schedule.render_batch_size is 0, so no simulator frame would be used",
            hint="add --set schedule.render_batch_size=2, or leave out --renders",
        )
    if renders and not recipe.generator.use_appearance:
        raise UsageError(
            f"--renders {renders[0]}: the recipe's generator has no appearance map, which training on them needs",
            hint="add --set generator.use_appearance=true, or leave out --renders",
        )


def _check_comparisons(recipe: Recipe, perceptual: Path | None, projection: Path | None) -> None:
    """Check that losses which compare simulator frames with photos have the frames and a network."""
    given = {"statistics": [perceptual], "kernel": [perceptual, projection]}
    for name, networks in given.items():
        wanted = getattr(recipe.loss, name)
        if wanted and not recipe.schedule.render_batch_size:
            raise UsageError(
                f"recipe {recipe.name}: loss.{name} is {wanted:g}, and there are no simulator frames to compare",
                hint=f"add --renders SIM_DIR --set schedule.render_batch_size=2, or --set loss.{name}=0",
            )
        if wanted and not any(networks):
            raise UsageError(
                f"recipe {recipe.name}: loss.{name} is {wanted:g}, and there is no perceptual network to compare with",
                hint=f"add --perceptual FILE, or --set loss.{name}=0",
            )


def _check_pairs(recipe: Recipe) -> None:
    """Check that pairs and the losses on them are both there or both not."""
    schedule, loss = recipe.schedule, recipe.loss
    if (loss.warp or loss.flow) and not (schedule.pair_batch_size or schedule.render_pair_batch_size):
        name = "warp" if loss.warp else "flow"
        raise UsageError(
            f"recipe {recipe.name}: loss.{name} is {getattr(loss, name):g}, and batches have no pairs of frames",
            hint=f"add --set schedule.pair_batch_size=1, or --set loss.{name}=0",
        )
    for field, is_used, off in (
        ("generator.use_previous", recipe.generator.use_previous, "false"),
        ("discriminator.sequence_width", recipe.discriminator.sequence_width, "0"),
    ):
        if is_used and not schedule.pair_batch_size:
            raise UsageError(
                f"recipe {recipe.name}: {field} is {str(is_used).lower()}, and batches have no pairs of photos",
                hint=f"add --set schedule.pair_batch_size=1 and mark the folders of videos with video: true in "
                f"data.sources, or --set {field}={off}",
            )
    if schedule.render_pair_batch_size and not schedule.render_batch_size:
        raise UsageError(
            f"recipe {recipe.name}: schedule.render_pair_batch_size is {schedule.render_pair_batch_size}, and "
            "schedule.render_batch_size is 0",
            hint="add --renders SIM_DIR --set schedule.render_batch_size=2, or --set schedule.render_pair_batch_size=0",
        )


def check_found_pairs(recipe: Recipe, photos: PhotoSet, renders: PhotoSet | None) -> None:
    """Check that there are the pairs that the schedule has.

    Raises:
        TrainingError: there are none.
    """
    schedule = recipe.schedule
    if schedule.pair_batch_size and not find_video_pairs(photos):
        raise TrainingError(
            f"recipe {recipe.name}: schedule.pair_batch_size is {schedule.pair_batch_size}, and no --data folder has "
            "consecutive frames of a video",
            hint="mark the folders of videos with video: true in data.sources, or --set schedule.pair_batch_size=0",
        )
    if schedule.render_pair_batch_size and renders is not None and not find_video_pairs(renders):
        raise TrainingError(
            f"recipe {recipe.name}: schedule.render_pair_batch_size is {schedule.render_pair_batch_size}, and no "
            "--renders folder has consecutive frames with optical flow",
            hint="`sflow-pipeline simulate` writes such frames; or --set schedule.render_pair_batch_size=0",
        )


def _check_out(out: Path) -> None:
    """Create ``out`` and check that it is a run's folder with room for checkpoints."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        others = [p for p in out.iterdir() if p.name not in _RUN_FILES and not p.name.startswith((".", "checkpoint-"))]
    except OSError as error:
        raise OutputError(f"--out {out}: {error.strerror}", hint="choose a folder that can be written") from error
    if others:
        raise OutputError(
            f"--out {out}: holds {others[0].name}, which training did not write",
            hint="choose an empty folder, or the one of the run to resume",
        )
    if shutil.disk_usage(out).free < 2 << 30:
        raise OutputError(
            f"--out {out}: less than 2 GiB free", hint="checkpoints need room: free some or choose another disk"
        )


def check_encoder(recipe: Recipe, projection: PerceptualNetwork | None) -> None:
    """Check that an encoder of the segmenter has weights to begin with."""
    wanted = recipe.segmenter.images and recipe.segmenter.encoder != "plain"
    if wanted and not isinstance(projection, EfficientNetLiteFeatures):
        raise UsageError(
            f"segmenter.encoder is {recipe.segmenter.encoder}, whose ImageNet weights are missing",
            hint="add --projection FILE with EfficientNet-Lite0's, or --set segmenter.encoder=plain",
        )


def check_segmenter(recipe: Recipe, out: Path) -> None:
    """Check that the recipe has a segmenter, and that ``out`` has a bundle for it."""
    if not recipe.segmenter.images:
        raise UsageError(
            "--only segmenter: recipe says segmenter.images: 0", hint="for example --set segmenter.images=20000"
        )
    bundle = load_bundle(out / "bundle")
    if bundle.recipe.label_space != recipe.label_space:
        raise UsageError(
            f"--only segmenter: {bundle.path} paints {bundle.recipe.label_space}, the recipe says {recipe.label_space}",
            hint="use the recipe that the bundle was trained by",
        )
