"""A whole training run: checks, data, resume, the loop, and the bundle at its end."""

import contextlib
import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sflow_pipeline.bundle import Bundle, SegmenterScores, add_segmenter, load_bundle, save_bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import MissingExtraError, OutputError, TrainingError, UsageError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.device import resolve_device
from sflow_pipeline.networks.perceptual import load_perceptual
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.run_lock import RunLock
from sflow_pipeline.training.data.palettes import collect_palettes
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.data.real_photos import load_real_photos
from sflow_pipeline.training.process_group import WorkerOptions
from sflow_pipeline.training.run.checkpoint import load_newest_checkpoint, read_recipe, save_checkpoint
from sflow_pipeline.training.run.loop import TrainingProgress
from sflow_pipeline.training.run.process import ProcessInputs
from sflow_pipeline.training.segmenter import score_segmenter, train_segmenter
from sflow_pipeline.training.step.state import TrainingState, build_state


@dataclass(frozen=True)
class TrainingSummary:
    """What a finished run made, where it began, and how often workers of a team had to be started again."""

    bundle: Bundle
    images_seen: int
    resumed_from: str | None
    damaged_checkpoints: tuple[str, ...]
    photos: int
    held_out: int
    segmenter: SegmenterScores | None = None
    restarts: int = 0


def train(
    recipe: Recipe,
    data: str,
    out: Path,
    *,
    perceptual: Path | None = None,
    device: str = "auto",
    worker_options: WorkerOptions | None = None,
    start: Bundle | None = None,
    only: Literal["segmenter", "bundle"] | None = None,
    details: dict[str, Any] | None = None,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> TrainingSummary:
    """Train a recipe on real photos and export ``out/bundle``; an interrupted run in ``out`` goes on where it was.

    Args:
        data: folder of real photos with labels, in any layout that ``inspect`` knows.
        perceptual: VGG-19 or SqueezeNet weights (.safetensors); without them the term is left out, and the bundle
            says so.
        workforce: processes that share every batch, on Ray; by default this one trains alone. The segmenter, which is
            quick, always learns here.
        start: a bundle whose generator and DNED the run begins with, instead of random ones.
        only: ``segmenter`` trains that one network and puts it into the bundle that ``out`` holds already; ``bundle``
            trains nothing and exports what the newest checkpoint holds, also while a run goes on.
        details: further fields of ``bundle.yaml`` (version, training_data, licence…).

    Raises:
        UsageError: ``only`` asks for a segmenter of no images; a batch, or the machines, cannot serve so many workers.
        BundleError: ``only`` is segmenter and ``out`` holds no bundle.
        TrainingError: bad data, weights or checkpoints, named before the first step; a term that is not finite;
            ``only`` is bundle and ``out`` holds no checkpoint.
    """
    network = load_perceptual(perceptual) if perceptual else None
    if worker_options:
        _check_workers(worker_options, recipe, device)
    wanted, device = device, "auto" if worker_options else device
    device, precision = resolve_device(device, recipe.precision)
    finished = _find_bundle(recipe, out) if only == "segmenter" else None
    _claim(out)
    # Exporting on the way is safe beside a run; checkpoints and losses of two runs would mix.
    with contextlib.nullcontext() if only == "bundle" else RunLock(Folder(str(out))):
        photos, held_out = load_real_photos(data, recipe, out / "cache")
        generator = recipe.generator.model_copy(update={"use_instances": photos.has_instances})
        recipe = recipe.model_copy(update={"generator": generator})  # "auto" is settled from here on
        space = load_label_space(recipe.label_space)
        if finished is not None:
            summary = TrainingSummary(finished, finished.metadata.images_seen, None, (), len(photos), len(held_out))
        else:
            state = build_state(recipe, network, "cpu" if worker_options else device, start)
            checkpoint, damaged = load_newest_checkpoint(state, out)
            if checkpoint is None:
                state.provenance.setdefault("--start-from", "none")  # a resumed run keeps what its checkpoint says
            restarts = 0
            if only == "bundle":
                if checkpoint is None:
                    raise TrainingError(
                        f"--only bundle: {out} holds no checkpoint",
                        hint="name the --out folder of a run that has begun",
                    )
                state.recipe = read_recipe(checkpoint)
            else:
                process_inputs = ProcessInputs(
                    recipe, photos.folder.resolve(), held_out.folder.resolve(), out.resolve(), network
                )
                if worker_options:
                    if start is not None and checkpoint is None:
                        save_checkpoint(state, out)  # workers do not see the bundle's folder, but this one
                    restarts = _train_on_workers(process_inputs, state, worker_options, wanted, on_progress)
                else:
                    process_inputs.run(state, device, precision, on_progress)
            named = f"{network.name} ({perceptual.name})" if network and perceptual else "none"
            fields = {"version": "0.1.0", "perceptual_network": named} | (details or {})
            if state.provenance.get("--start-from", "none") != "none":
                fields["started_from"] = state.provenance["--start-from"]
            summary = TrainingSummary(
                bundle=export_bundle(state, photos, out / "bundle", fields),
                images_seen=state.images_seen,
                resumed_from=checkpoint.name if checkpoint else None,
                damaged_checkpoints=tuple(path.name for path in damaged),
                photos=len(photos),
                held_out=len(held_out),
                restarts=restarts,
            )
        if not recipe.segmenter.images or only == "bundle":
            return summary
        segmenter = train_segmenter(
            recipe, space, photos, out / "segmenter", device=device, precision=precision, on_progress=on_progress
        )
        scores = score_segmenter(segmenter, space, held_out)
        bundle = add_segmenter(summary.bundle, recipe.segmenter, segmenter.network.state_dict(), scores)
        return dataclasses.replace(summary, bundle=bundle, segmenter=scores)


def export_bundle(state: TrainingState, photos: PhotoSet, path: Path, details: dict[str, Any]) -> Bundle:
    """Write the averaged generator and DNED as a bundle, with the photos' palettes if it paints with any."""
    networks = {"generator": state.generator_ema.state_dict(), "dned": state.dned_ema.state_dict()}
    fields = {"images_seen": state.images_seen} | details
    if state.recipe.generator.use_palette:
        palettes = collect_palettes(photos, load_label_space(state.recipe.label_space).num_classes)
        networks["palettes"] = {"rgb": palettes}
        fields["palettes"] = len(palettes)
    return save_bundle(path, state.recipe, networks, fields)


def _check_workers(worker_options: WorkerOptions, recipe: Recipe, device: str) -> None:
    workers, batch = worker_options.workers, recipe.schedule.batch_size
    if batch % workers:
        fitting = max(n for n in range(1, workers) if batch % n == 0)
        raise UsageError(
            f"--workers {workers}: schedule.batch_size {batch} cannot be shared evenly",
            hint=f"use --workers {fitting}, or --set schedule.batch_size={(batch // workers + 1) * workers}",
        )
    if device.startswith("cuda:"):
        raise UsageError(f"--device {device}: Ray gives every worker its GPU", hint="use --device cuda")


def _train_on_workers(
    process_inputs: ProcessInputs,
    state: TrainingState,
    worker_options: WorkerOptions,
    device: str,
    on_progress: Callable[[TrainingProgress], None],
) -> int:
    """Bring ``state`` to the end of its schedule; returns how often workers had to be started again."""
    if state.images_seen >= process_inputs.recipe.total_images:
        return 0
    try:
        from sflow_pipeline.training.run.on_ray import train_on_ray
    except ImportError as error:
        raise MissingExtraError(
            f"--workers {worker_options.workers}: Ray Train cannot be loaded ({error})",
            hint="pip install 'sflow-pipeline[cluster]', or train in one process",
        ) from error
    restarts = train_on_ray(process_inputs, worker_options, device, on_progress)
    load_newest_checkpoint(state, process_inputs.out)
    return restarts


def _find_bundle(recipe: Recipe, out: Path) -> Bundle:
    """The bundle that a segmenter is to be added to."""
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
    return bundle


def _claim(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        strangers = [p for p in out.iterdir() if p.name not in _OURS and not p.name.startswith((".", "checkpoint-"))]
    except OSError as error:
        raise OutputError(f"--out {out}: {error.strerror}", hint="choose a folder that can be written") from error
    if strangers:
        raise OutputError(
            f"--out {out}: holds {strangers[0].name}, which training did not write",
            hint="choose an empty folder, or the one of the run to resume",
        )
    if shutil.disk_usage(out).free < 2 << 30:
        raise OutputError(
            f"--out {out}: less than 2 GiB free", hint="checkpoints need room: free some or choose another disk"
        )


_OURS = {"cache", "samples", "losses.csv", "curves.svg", "bundle", "log.txt", "segmenter", "preview.html", "events"}
