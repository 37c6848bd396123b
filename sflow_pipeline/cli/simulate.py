"""``sflow-pipeline simulate``: renders sample streets as input for the other commands."""

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from sflow_pipeline.cli.bar import LINE_EVERY_S, Bar
from sflow_pipeline.errors import UsageError


class LookName(StrEnum):
    """The renderer's looks, repeated here because importing them would load OpenCV for every ``--help``."""

    CG = "cg"
    CAMERA = "camera"


def simulate_command(
    out: Annotated[str, typer.Argument(help="Folder to write; new or empty.", metavar="OUT")],
    sequences: Annotated[int, typer.Option("--sequences", min=1, help="Number of streets.")] = 1,
    frames: Annotated[int, typer.Option("--frames", min=1, help="Frames of each street, at 10 per second.")] = 20,
    size: Annotated[str, typer.Option("--size", help="Width x height in pixels.", metavar="WxH")] = "512x256",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed of the streets.")] = 0,
    look: Annotated[
        LookName,
        typer.Option("--look", help="cg: flat and clean; camera: the same streets with textures, light and lens."),
    ] = LookName.CG,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; by default one per core for larger jobs.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Render sample streets with exact labels, depth, flow, occlusion, boxes and camera poses.

    The folder is a simulator dump in the plain layout that every other command reads. The same options give the
    same files with any number of workers, and both looks have identical labels.

    Examples:

      sflow-pipeline simulate streets --sequences 2 --frames 50
      sflow-pipeline simulate photos --sequences 2 --frames 50 --look camera
      sflow-pipeline simulate tiny --frames 3 --size 128x64 --seed 7 --json
    """
    from sflow_pipeline.config.decode import parse_size

    try:
        size_px = parse_size(size)
    except ValueError as error:
        raise UsageError(f"--size {size}: {error}", hint="try --size 512x256") from error
    from sflow_pipeline.street.write_dump import write_sample_dump

    with Bar("frames", quiet=as_json, is_transient=True, line_every_s=LINE_EVERY_S) as bar:
        dump = write_sample_dump(
            out,
            sequences=sequences,
            frames=frames,
            size=size_px,
            seed=seed,
            look=look.value,
            workers=workers,
            on_progress=lambda done, total: bar.show(done, total, description="rendering streets"),
        )
    if as_json:
        typer.echo(json.dumps({**asdict(dump), "wall_s": round(dump.wall_s, 3)}, indent=2))
    elif dump.frames_written == 0:
        typer.echo(f"{dump.root}: already complete, nothing to do")
    else:
        rate = dump.frames_written / dump.wall_s
        typer.echo(f"{dump.root}: {dump.frames_written} frames in {dump.wall_s:.1f} s ({rate:.1f} frames/s)")
