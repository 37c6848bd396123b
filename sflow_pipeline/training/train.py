"""A whole training run: checks, data, resume, the loop, and the bundle at its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sflow_pipeline.bundle import Bundle, SegmenterScores, add_segmenter, keep_segmenter, load_bundle, save_bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import MissingExtraError, TrainingError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.features.efficientnet_lite import EfficientNetLiteFeatures
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.run_lock import RunLock
from sflow_pipeline.training.data.palettes import collect_palettes
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.data.real_photos import load_real_photos, load_renders
from sflow_pipeline.training.process_group import WorkerOptions
from sflow_pipeline.training.provenance import describe_inputs
from sflow_pipeline.training.run.checkpoint import load_newest_checkpoint, read_recipe, save_checkpoint
from sflow_pipeline.training.run.process import ProcessInputs
from sflow_pipeline.training.run.training_run import (
    OnProgress,
    TrainingRun,
    check_encoder,
    check_found_pairs,
    check_segmenter,
)
from sflow_pipeline.training.segmenter import calibrate_bundle_gate, score_segmenter, train_segmenter
from sflow_pipeline.training.step.state import TrainingState, build_state
from sflow_pipeline.training.step.teacher import load_teacher


@dataclass(frozen=True)
class TrainingSummary:
    """Result of a run.

    Attributes:
        resumed_from: name of the checkpoint that the run resumed from, None for a new run.
        damaged_checkpoints: names of newer checkpoints that could not be used.
        photos, held_out: numbers of training and held-out photos.
        segmenter: its scores on the held-out photos, None where none was trained.
        restarts: of Ray workers after one of them died.
    """

    bundle: Bundle
    images_seen: int
    resumed_from: str | None
    damaged_checkpoints: tuple[str, ...]
    photos: int
    held_out: int
    segmenter: SegmenterScores | None = None
    restarts: int = 0


@dataclass(frozen=True)
class RunData:
    """Photo sets of a run, and the recipe as they resolve it."""

    recipe: Recipe
    photos: PhotoSet
    held_out: PhotoSet
    renders: PhotoSet | None


def train(
    recipe: Recipe,
    data: str | Sequence[str],
    out: str | Path,
    *,
    perceptual: str | Path | None = None,
    projection: str | Path | None = None,
    renders: Sequence[str] = (),
    minutes: float | None = None,
    device: str = "auto",
    worker_options: WorkerOptions | None = None,
    start: Bundle | None = None,
    teacher: Bundle | None = None,
    only: Literal["segmenter", "gate", "bundle"] | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> TrainingSummary:
    """Train a recipe on labelled real photos and export ``out/bundle``; an interrupted run in ``out`` is resumed.

    Args:
        data: one or several folders of real photos with labels, in any layout that ``inspect`` reads; ``recipe.data``
            has the settings of each.
        perceptual: weights (.safetensors) of a perceptual network; without them the run has no perceptual loss.
        projection: weights (.safetensors) of the network that the projected discriminator works on, and that a
            segmenter with an encoder begins with.
        renders: folders of simulator frames with labels, of which every batch gets ``schedule.render_batch_size``.
        minutes: of training after which the run stops at a checkpoint and exports it; the same call goes on.
        worker_options: processes that share every batch, on Ray; by default this process trains alone. The segmenter
            is trained in this process.
        start: a bundle whose generator and DNED are the initial ones, instead of random ones.
        teacher: a bundle whose pictures are followed on photos with appearance 0, with weight ``loss.teacher``.
        only: ``segmenter`` trains that network alone and adds it to the bundle in ``out``; ``gate`` trains nothing and
            measures the gate's thresholds of that bundle on the held-out photos; ``bundle`` trains nothing and exports
            the newest checkpoint, also while a run goes on.

    Raises:
        UsageError: ``only`` is segmenter and the recipe has none; a batch, or the machines, cannot serve the workers.
        BundleError: ``only`` is segmenter or gate and ``out`` holds no bundle.
        TrainingError: bad data, weights or checkpoints, reported before the first step; a term that is not finite;
            ``only`` is bundle and ``out`` holds no checkpoint.
    """
    out = Path(out)
    if only == "segmenter":
        check_segmenter(recipe, out)
    run = TrainingRun.build(
        recipe,
        data,
        out,
        perceptual=Path(perceptual) if perceptual else None,
        projection=Path(projection) if projection else None,
        renders=renders,
        minutes=minutes,
        device=device,
        workers=worker_options,
        start=start,
        teacher=teacher,
        on_progress=on_progress,
    )
    if only in (None, "segmenter"):
        check_encoder(recipe, run.projection)
    if only == "bundle":
        return export_newest_checkpoint(run)
    with RunLock(Folder(str(out))):
        if only == "gate":
            return calibrate_gate_of(run)
        return add_segmenter_to(run) if only == "segmenter" else train_bundle(run)


def train_bundle(run: TrainingRun) -> TrainingSummary:
    """Train every network of the recipe and export the bundle; without a segmenter, it keeps the initial bundle's."""
    data = _load_data(run)
    state, checkpoint, damaged = begin_or_resume(run, data)
    restarts = _train_networks(run, data, state, is_new=checkpoint is None)
    bundle = export_bundle(state, data.photos, run.out / "bundle", run.network_name)
    scores = None
    is_finished = state.images_seen >= data.recipe.total_images  # or stopped by the clock
    if run.start is not None and (data.recipe.segmenter.images == 0 or not is_finished):
        bundle = keep_segmenter(bundle, run.start)
    elif data.recipe.segmenter.images and is_finished:
        bundle, scores = _train_segmenter(run, data, bundle)
    return _summarise(data, state, bundle, checkpoint, damaged, segmenter=scores, restarts=restarts)


def export_newest_checkpoint(run: TrainingRun) -> TrainingSummary:
    """Export the newest checkpoint in ``run.out`` without training; takes no lock, so that a run may go on.

    Raises:
        TrainingError: there is no checkpoint.
    """
    data = _load_data(run)
    state, checkpoint, damaged = begin_or_resume(run, data)
    if checkpoint is None:
        raise TrainingError(
            f"--only bundle: {run.out} holds no checkpoint", hint="name the --out folder of a run that has begun"
        )
    state.recipe = read_recipe(checkpoint)
    bundle = export_bundle(state, data.photos, run.out / "bundle", run.network_name)
    return _summarise(data, state, bundle, checkpoint, damaged)


def add_segmenter_to(run: TrainingRun) -> TrainingSummary:
    """Train the segmenter alone and add it to the bundle in ``run.out``."""
    data = _load_data(run)
    bundle, scores = _train_segmenter(run, data, load_bundle(run.out / "bundle"))
    photos, held_out = len(data.photos), len(data.held_out)
    return TrainingSummary(bundle, bundle.metadata.images_seen, None, (), photos, held_out, scores)


def calibrate_gate_of(run: TrainingRun) -> TrainingSummary:
    """Measure the gate's thresholds of the bundle in ``run.out`` on the held-out photos.

    Raises:
        BundleError: there is no bundle.
        TrainingError: it has no segmenter.
    """
    data = _load_data(run)
    bundle = calibrate_bundle_gate(load_bundle(run.out / "bundle"), data.held_out, run.device)
    photos, held_out = len(data.photos), len(data.held_out)
    return TrainingSummary(bundle, bundle.metadata.images_seen, None, (), photos, held_out)


def begin_or_resume(run: TrainingRun, data: RunData) -> tuple[TrainingState, Path | None, list[Path]]:
    """The state of the newest checkpoint, or a new one; the checkpoint, and newer ones that are damaged."""
    state = build_state(data.recipe, run.network, "cpu" if run.workers else run.device.name, run.start, run.projection)
    state.provenance |= describe_inputs(data.photos, data.held_out, data.renders, run.teacher)
    checkpoint, damaged = load_newest_checkpoint(state, run.out)
    if checkpoint is None:
        state.provenance.setdefault("--start-from", "none")
    return state, checkpoint, damaged


def export_bundle(state: TrainingState, photos: PhotoSet, path: Path, perceptual_network: str) -> Bundle:
    """Write the averaged generator and DNED as a bundle, with the photos' palettes if the generator uses them.

    Version, training data and licence in ``bundle.yaml`` are those that the recipe states.
    """
    recipe = state.recipe
    networks = {"generator": state.generator_ema.state_dict(), "dned": state.dned_ema.state_dict()}
    fields: dict[str, Any] = {
        "version": recipe.version,
        "images_seen": state.images_seen,
        "training_data": recipe.training_data,
        "training_data_licence": recipe.licence,
        "perceptual_network": perceptual_network,
    }
    start = state.provenance.get("--start-from", "none")
    if start != "none":
        fields["started_from"] = start
    if recipe.generator.use_palette:
        palettes = collect_palettes(photos, load_label_space(recipe.label_space).num_classes)
        networks["palettes"] = {"rgb": palettes}
        fields["palettes"] = len(palettes)
    return save_bundle(path, recipe, networks, fields)


def _load_data(run: TrainingRun) -> RunData:
    photos, held_out = load_real_photos(run.data, run.recipe, run.out / "cache")
    generator = run.recipe.generator.model_copy(update={"use_instances": photos.has_instances})
    recipe = run.recipe.model_copy(update={"generator": generator})
    renders = load_renders(run.renders, recipe, run.out / "cache") if run.renders else None
    check_found_pairs(recipe, photos, renders)
    return RunData(recipe, photos, held_out, renders)


def _train_networks(run: TrainingRun, data: RunData, state: TrainingState, *, is_new: bool) -> int:
    """Train ``state`` to the end of its schedule; returns the restarts of workers."""
    photos, held_out, out = (folder.resolve() for folder in (data.photos.folder, data.held_out.folder, run.out))
    renders = None if data.renders is None else data.renders.folder.resolve()
    inputs = ProcessInputs(
        data.recipe,
        photos,
        held_out,
        out,
        run.network,
        run.projection,
        renders,
        run.minutes and 60 * run.minutes,
        load_teacher(run.teacher, data.recipe) if run.teacher else None,
    )
    if run.workers is None:
        recorded = state.provenance.setdefault("precision", run.device.precision)
        inputs.run(state, run.device.with_precision(data.recipe.precision, recorded), run.on_progress)
        return 0
    if run.start is not None and is_new:
        save_checkpoint(state, run.out)  # workers may lack the bundle's folder, but have this one
    if state.images_seen >= data.recipe.total_images:
        return 0
    try:
        from sflow_pipeline.training.run.on_ray import train_on_ray
    except ImportError as error:
        raise MissingExtraError(
            f"--workers {run.workers.workers}: Ray Train cannot be loaded ({error})",
            hint="pip install 'sflow-pipeline[cluster]', or train in one process",
        ) from error
    restarts = train_on_ray(inputs, run.workers, run.worker_device, run.on_progress)
    load_newest_checkpoint(state, run.out)
    return restarts


def _train_segmenter(run: TrainingRun, data: RunData, bundle: Bundle) -> tuple[Bundle, SegmenterScores]:
    space = load_label_space(data.recipe.label_space)
    state = train_segmenter(
        data.recipe,
        space,
        data.photos,
        run.out / "segmenter",
        provenance=describe_inputs(data.photos, data.held_out),
        device=run.device,
        imagenet=run.projection.state_dict() if isinstance(run.projection, EfficientNetLiteFeatures) else None,
        on_progress=run.on_progress,
    )
    scores = score_segmenter(state, space, data.held_out)
    bundle = add_segmenter(bundle, data.recipe.segmenter, state.to_stored(), scores)
    return calibrate_bundle_gate(bundle, data.held_out, run.device), scores


def _summarise(
    data: RunData,
    state: TrainingState,
    bundle: Bundle,
    checkpoint: Path | None,
    damaged: list[Path],
    *,
    segmenter: SegmenterScores | None = None,
    restarts: int = 0,
) -> TrainingSummary:
    return TrainingSummary(
        bundle=bundle,
        images_seen=state.images_seen,
        resumed_from=checkpoint.name if checkpoint else None,
        damaged_checkpoints=tuple(path.name for path in damaged),
        photos=len(data.photos),
        held_out=len(data.held_out),
        segmenter=segmenter,
        restarts=restarts,
    )
