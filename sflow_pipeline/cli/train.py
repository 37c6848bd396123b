"""``sflow-pipeline train``: train a recipe on real photos and export a bundle."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from sflow_pipeline.addresses import quote_address
from sflow_pipeline.errors import TrainingError, UsageError

if TYPE_CHECKING:
    from sflow_pipeline.config.recipe import Recipe
    from sflow_pipeline.training.train import TrainingSummary


def train_command(
    recipe: Annotated[
        str, typer.Argument(help="Name under models/, a recipe file, or a folder with recipe.yaml.", metavar="RECIPE")
    ],
    data: Annotated[
        list[str],
        typer.Option(
            "--data",
            help="Real photos with labels, in any layout that inspect knows; several times for several folders.",
            metavar="DIR",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", help="Where checkpoints, samples and the bundle go; a run there goes on.", metavar="DIR"),
    ],
    perceptual: Annotated[
        Path | None,
        typer.Option(
            "--perceptual", help="VGG-19 or SqueezeNet weights (.safetensors) for the perceptual loss.", metavar="FILE"
        ),
    ] = None,
    projection: Annotated[
        Path | None,
        typer.Option(
            "--projection",
            help="EfficientNet-Lite0 weights (.safetensors) for a projected discriminator, and for a segmenter on its "
            "features (segmenter.encoder).",
            metavar="FILE",
        ),
    ] = None,
    renders: Annotated[
        list[str] | None,
        typer.Option(
            "--renders",
            help="Simulator frames with labels to train on beside the photos; several times.",
            metavar="DIR",
        ),
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            "--start-from", help="Bundle whose networks to begin with, instead of random ones.", metavar="BUNDLE"
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            "--teacher",
            help="Bundle whose pictures are followed on photos with appearance 0; see loss.teacher.",
            metavar="BUNDLE",
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, help="CPU threads; all cores by default, one in each of several workers."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes that share every batch, each on a GPU where there are.")
    ] = 1,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Ray cluster to train on; --out must be storage that all its machines see."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="Stop after so many minutes of training, at a checkpoint; run again to go on."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a recipe key: --set schedule.batch_size=4.", metavar="KEY=VALUE"),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            help="segmenter: train that alone and add it to the bundle in --out; gate: measure its thresholds "
            "for convert --gate; bundle: export the newest checkpoint, without segmenter.",
            metavar="PART",
        ),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Keep preview.html in --out up to date: curves and newest pictures.")
    ] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write events/ in --out for TensorBoard.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Train a recipe on real photos; run it again to resume after an interruption.

    The folder of the run gets checkpoints, losses, pictures to look at and, at the end, a bundle for convert.

    Examples:

      sflow-pipeline train sflow --data D --out run --perceptual W --projection E
      sflow-pipeline train RECIPE --data PHOTOS --out run --start-from BUNDLE
      sflow-pipeline train RECIPE --data CamVid --data PHOTOS --out run
      sflow-pipeline train pix2pix --data CamVid --out run --preview
      sflow-pipeline train pix2pix --data CamVid --out run --workers 2
      sflow-pipeline train pix2pix --data CamVid --out run --only bundle
    """
    checked = _check_only(only, together=workers > 1 or address is not None)
    loaded = _load(recipe, settings or [])
    import torch

    from sflow_pipeline.bundle import load_bundle
    from sflow_pipeline.cli.training_display import TrainingDisplay
    from sflow_pipeline.cli.training_observers import TrainingObservers
    from sflow_pipeline.training.process_group import WorkerOptions
    from sflow_pipeline.training.run.loop import TrainingProgress
    from sflow_pipeline.training.train import train

    if threads:
        torch.set_num_threads(threads)
    with TrainingDisplay(quiet=as_json) as display, TrainingObservers(out, preview, tensorboard) as observers:

        def on_progress(progress: TrainingProgress) -> None:
            display.update(progress)
            observers.update(progress)

        summary = train(
            loaded,
            data,
            out,
            perceptual=perceptual,
            projection=projection,
            renders=renders or (),
            minutes=minutes,
            device=device,
            worker_options=WorkerOptions(workers, address, threads or 1) if workers > 1 or address else None,
            start=load_bundle(start_from) if start_from else None,
            teacher=load_bundle(teacher) if teacher else None,
            only=checked,
            on_progress=on_progress,
        )
    places = _write_curves(out, only)
    if preview:
        places.append(out / "preview.html")
    if as_json:
        typer.echo(json.dumps(_to_dict(summary), indent=2))
    else:
        _print_summary(summary, places)


def _check_only(only: str | None, *, together: bool) -> Literal["segmenter", "gate", "bundle"] | None:
    """The value of ``--only``; ``together``: whether several processes are asked for."""
    if only is None:
        return None
    if only not in ("segmenter", "gate", "bundle"):
        raise UsageError(f"--only {only}: expected segmenter, gate or bundle", hint="leave it out to train everything")
    if together:
        raise UsageError(f"--only {only}: that is done in one process", hint="leave out --workers and --address")
    return cast(Literal["segmenter", "gate", "bundle"], only)


def _write_curves(out: Path, only: str | None) -> list[Path]:
    """Draw the loss curves; returns what a person should look at."""
    from sflow_pipeline.report.training_curves import write_training_curves

    if only == "gate":
        return [out / "bundle" / "bundle.yaml"]
    folder = out / "segmenter" if only == "segmenter" else out
    places = [] if only == "segmenter" else [out / "samples"]
    with suppress(TrainingError):  # a very short run has no curve
        places.append(write_training_curves(folder / "losses.csv", folder / "curves.svg"))
    return places


def _to_dict(summary: "TrainingSummary") -> dict[str, object]:
    return {
        "bundle": str(summary.bundle.path),
        "digest": summary.bundle.digest,
        "images_seen": summary.images_seen,
        "photos": summary.photos,
        "held_out": summary.held_out,
        "resumed_from": summary.resumed_from,
        "damaged_checkpoints": list(summary.damaged_checkpoints),
        "restarts": summary.restarts,
        "segmenter": summary.segmenter.model_dump() if summary.segmenter else None,
        "gate": summary.bundle.metadata.gate.model_dump() if summary.bundle.metadata.gate else None,
    }


def _print_summary(summary: "TrainingSummary", places: list[Path]) -> None:
    typer.echo(f"bundle: {summary.bundle.path} ({summary.images_seen} images seen, {summary.photos} photos)")
    if summary.restarts:
        typer.echo(f"restarts: {summary.restarts}, from the last checkpoint each, because a worker died")
    if summary.segmenter:
        scores = summary.segmenter
        typer.echo(
            f"segmenter: pixel accuracy {scores.pixel_accuracy:.3f}, mIoU {scores.miou:.3f} "
            f"on {scores.held_out_photos} held-out photos"
        )
    gate = summary.bundle.metadata.gate
    if gate:
        least = ", ".join(f"{name} {value:g}" for name, value in gate.least.items())
        typer.echo(f"gate: {gate.passing_share:.0%} of {gate.photos} held-out photos or more reach {least}")
    typer.echo(f"look at: {', '.join(map(str, places))}")
    typer.echo(f"use it: sflow-pipeline convert SIM_DIR OUT_DIR --bundle {quote_address(str(summary.bundle.path))}")


def _load(recipe: str, settings: list[str]) -> "Recipe":
    from sflow_pipeline.bundle import find_model
    from sflow_pipeline.config.decode import parse_settings
    from sflow_pipeline.config.recipe import load_recipe

    overrides = parse_settings(settings, example="schedule.batch_size=4")
    path = Path(recipe) if Path(recipe).is_file() else find_model(recipe, "recipe.yaml")
    return load_recipe(path, overrides)
