"""``sflow-pipeline train``: a recipe and real photos in, a bundle out."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from sflow_pipeline.errors import TrainingError, UsageError

if TYPE_CHECKING:
    from sflow_pipeline.config.recipe import Recipe


def train_command(
    recipe: Annotated[
        str, typer.Argument(help="Name under models/, a recipe file, or a folder with recipe.yaml.", metavar="RECIPE")
    ],
    data: Annotated[
        str, typer.Option("--data", help="Real photos with labels, in any layout that inspect knows.", metavar="DIR")
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
    start_from: Annotated[
        str | None,
        typer.Option(
            "--start-from", help="Bundle whose networks to begin with, instead of random ones.", metavar="BUNDLE"
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
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a recipe key: --set schedule.batch_size=4.", metavar="KEY=VALUE"),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            help="segmenter: train that alone and add it to the bundle in --out; bundle: export the newest checkpoint, "
            "without segmenter.",
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

      sflow-pipeline train sflow --data CamVid --out run --perceptual W
      sflow-pipeline train RECIPE --data PHOTOS --out run --start-from BUNDLE
      sflow-pipeline train pix2pix --data CamVid --out run --preview
      sflow-pipeline train pix2pix --data CamVid --out run --workers 2
      sflow-pipeline train pix2pix --data CamVid --out run --only bundle
    """
    if only not in (None, "segmenter", "bundle"):
        raise UsageError(f"--only {only}: expected segmenter or bundle", hint="leave it out to train everything")
    together = workers > 1 or address is not None
    if only and together:
        raise UsageError(f"--only {only}: that is done in one process", hint="leave out --workers and --address")
    loaded = _load(recipe, settings or [])
    import torch

    from sflow_pipeline.bundle import load_bundle
    from sflow_pipeline.cli.training_display import TrainingDisplay
    from sflow_pipeline.cli.training_followers import TrainingFollowers
    from sflow_pipeline.report.training_curves import write_training_curves
    from sflow_pipeline.training.process_group import WorkerOptions
    from sflow_pipeline.training.run.loop import TrainingProgress
    from sflow_pipeline.training.train import train

    if threads:
        torch.set_num_threads(threads)
    with TrainingDisplay(quiet=as_json) as display, TrainingFollowers(out, preview, tensorboard) as followers:

        def tell(progress: TrainingProgress) -> None:
            display.update(progress)
            followers.update(progress)

        worker_options = WorkerOptions(workers, address, threads or 1) if together else None
        summary = train(
            loaded,
            data,
            out,
            perceptual=perceptual,
            device=device,
            worker_options=worker_options,
            start=load_bundle(start_from) if start_from else None,
            only=cast(Literal["segmenter", "bundle"] | None, only),
            on_progress=tell,
        )
    losses = out / "segmenter" / "losses.csv" if only == "segmenter" else out / "losses.csv"
    places = [] if only == "segmenter" else [str(out / "samples")]
    with suppress(TrainingError):  # so short a run has no curve
        places.append(str(write_training_curves(losses, losses.with_name("curves.svg"))))
    facts = {
        "bundle": str(summary.bundle.path),
        "digest": summary.bundle.digest,
        "images_seen": summary.images_seen,
        "photos": summary.photos,
        "held_out": summary.held_out,
        "resumed_from": summary.resumed_from,
        "damaged_checkpoints": list(summary.damaged_checkpoints),
        "restarts": summary.restarts,
        "segmenter": summary.segmenter.model_dump() if summary.segmenter else None,
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    typer.echo(f"bundle: {summary.bundle.path} ({summary.images_seen} images seen, {summary.photos} photos)")
    if summary.restarts:
        typer.echo(f"restarts: {summary.restarts}, from the last checkpoint each, because a worker died")
    if summary.segmenter:
        scores = summary.segmenter
        typer.echo(
            f"segmenter: pixel accuracy {scores.pixel_accuracy:.3f}, mIoU {scores.miou:.3f} "
            f"on {scores.held_out_photos} held-out photos"
        )
    if preview:
        places.append(str(out / "preview.html"))
    typer.echo(f"look at: {', '.join(places)}")
    typer.echo(f"use it: sflow-pipeline convert SIM_DIR OUT_DIR --bundle {summary.bundle.path}")


def _load(recipe: str, settings: list[str]) -> "Recipe":
    from sflow_pipeline.bundle import find_model
    from sflow_pipeline.config.decode import parse_settings
    from sflow_pipeline.config.recipe import load_recipe

    overrides = parse_settings(settings, example="schedule.batch_size=4")
    path = Path(recipe) if Path(recipe).is_file() else find_model(recipe, "recipe.yaml")
    return load_recipe(path, overrides)
