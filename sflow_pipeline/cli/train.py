"""``sflow-pipeline train``: a recipe and real photos in, a bundle out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
            "--perceptual", help="SqueezeNet 1.0 weights (.safetensors) for the perceptual loss.", metavar="FILE"
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads; all cores by default.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a recipe key: --set schedule.batch_size=4.", metavar="KEY=VALUE"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Train a recipe on real photos; run it again to resume after an interruption.

    The folder of the run gets checkpoints, losses, pictures to look at and, at the end, a bundle for convert.

    Examples:

      sflow-pipeline train sflow --data CamVid --out runs/sflow
      sflow-pipeline train sflow --data CamVid --out runs/other --set seed=2
    """
    loaded = _load(recipe, settings or [])
    import torch

    from sflow_pipeline.cli.training_display import TrainingDisplay
    from sflow_pipeline.report.training_curves import write_training_curves
    from sflow_pipeline.training.train import train

    if threads:
        torch.set_num_threads(threads)
    with TrainingDisplay(quiet=as_json) as display:
        summary = train(loaded, data, out, perceptual=perceptual, device=device, on_progress=display.update)
    curves = write_training_curves(out / "losses.csv", out / "curves.svg")
    facts = {
        "bundle": str(summary.bundle.path),
        "digest": summary.bundle.digest,
        "images_seen": summary.images_seen,
        "photos": summary.photos,
        "held_out": summary.held_out,
        "resumed_from": summary.resumed_from,
        "damaged_checkpoints": list(summary.damaged_checkpoints),
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    typer.echo(f"bundle: {summary.bundle.path} ({summary.images_seen} images seen, {summary.photos} photos)")
    typer.echo(f"look at: {out / 'samples'} and {curves}")
    typer.echo(f"use it: sflow-pipeline convert SIM_DIR OUT_DIR --bundle {summary.bundle.path}")


def _load(recipe: str, settings: list[str]) -> "Recipe":
    from sflow_pipeline.bundle import find_model
    from sflow_pipeline.config.decode import parse_yaml
    from sflow_pipeline.config.recipe import load_recipe
    from sflow_pipeline.errors import UsageError

    overrides = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {setting}: expected KEY=VALUE", hint="for example --set schedule.batch_size=4")
        overrides[key] = parse_yaml(f"value: {value}", where=f"--set {setting}")["value"]
    path = Path(recipe) if Path(recipe).is_file() else find_model(recipe, "recipe.yaml")
    return load_recipe(path, overrides)
