"""A whole training run: checks, data, resume, the loop, and the bundle at its end."""

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from sflow_pipeline.bundle import Bundle, SegmenterScores, add_segmenter, load_bundle, save_bundle
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import OutputError, UsageError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.layers import place_network
from sflow_pipeline.networks.perceptual import load_perceptual
from sflow_pipeline.training.checkpoint import load_newest_checkpoint
from sflow_pipeline.training.crops import CropSampler
from sflow_pipeline.training.loop import TrainingProgress, run_training
from sflow_pipeline.training.real_photos import load_real_photos
from sflow_pipeline.training.segmenter import score_segmenter, train_segmenter
from sflow_pipeline.training.state import TrainingState
from sflow_pipeline.training.step import StepContext


@dataclass(frozen=True)
class TrainingSummary:
    """What a finished run made, and where it began."""

    bundle: Bundle
    images_seen: int
    resumed_from: str | None
    damaged_checkpoints: tuple[str, ...]
    photos: int
    held_out: int
    segmenter: SegmenterScores | None = None


def train(
    recipe: Recipe,
    data: str,
    out: Path,
    *,
    perceptual: Path | None = None,
    device: str = "auto",
    only: Literal["segmenter"] | None = None,
    details: dict[str, Any] | None = None,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> TrainingSummary:
    """Train a recipe on real photos and export ``out/bundle``; an interrupted run in ``out`` goes on where it was.

    Args:
        data: folder of real photos with labels, in any layout that ``inspect`` knows.
        perceptual: VGG-19 or SqueezeNet weights (.safetensors); without them the term is left out, and the bundle
            says so.
        only: ``segmenter`` trains that one network and puts it into the bundle that ``out`` holds already.
        details: further fields of ``bundle.yaml`` (version, training_data, licence…).

    Raises:
        UsageError: ``only`` asks for a segmenter of no images.
        BundleError: ``only`` is given and ``out`` holds no bundle.
        TrainingError: bad data, weights or checkpoints, named before the first step; a term that is not finite.
    """
    network = load_perceptual(perceptual) if perceptual else None
    device, precision = Translator.resolve(device, recipe.precision)
    finished = _find_bundle(recipe, out) if only else None
    _claim(out)
    photos, held_out = load_real_photos(data, recipe, out / "cache")
    space = load_label_space(recipe.label_space)
    if finished is not None:
        summary = TrainingSummary(finished, finished.metadata.images_seen, None, (), len(photos), len(held_out))
    else:
        state = TrainingState(recipe, space.num_classes, device)
        checkpoint, damaged = load_newest_checkpoint(state, out)
        if network is not None:
            network = place_network(network, device)
        context = StepContext(recipe, space.num_classes, torch.device(device), precision, network)
        learning, watching = (CropSampler(p, recipe.schedule, recipe.seed) for p in (photos, held_out))
        run_training(state, learning, watching, context, out, on_progress)
        named = f"{network.name} ({perceptual.name})" if network and perceptual else "none"
        fields = {"version": "0.1.0", "perceptual_network": named} | (details or {})
        summary = TrainingSummary(
            bundle=export_bundle(state, out / "bundle", fields),
            images_seen=state.images_seen,
            resumed_from=checkpoint.name if checkpoint else None,
            damaged_checkpoints=tuple(path.name for path in damaged),
            photos=len(photos),
            held_out=len(held_out),
        )
    if not recipe.segmenter.images:
        return summary
    segmenter = train_segmenter(
        recipe, space, photos, out / "segmenter", device=device, precision=precision, on_progress=on_progress
    )
    scores = score_segmenter(segmenter, space, held_out)
    bundle = add_segmenter(summary.bundle, recipe.segmenter, segmenter.network.state_dict(), scores)
    return dataclasses.replace(summary, bundle=bundle, segmenter=scores)


def export_bundle(state: TrainingState, path: Path, details: dict[str, Any]) -> Bundle:
    """Write the averaged generator and DNED as a bundle."""
    networks = {"generator": state.generator_ema.state_dict(), "dned": state.dned_ema.state_dict()}
    return save_bundle(path, state.recipe, networks, {"images_seen": state.images_seen} | details)


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
