"""``sflow-pipeline simulate``: draw sample streets, to try everything else on."""

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from sflow_pipeline.cli.bar import Bar
from sflow_pipeline.errors import UsageError


class LookName(StrEnum):
    """Repeats the simulator's looks here, because asking it would load OpenCV for every ``--help``."""

    CG = "cg"
    CAMERA = "camera"


def simulate_command(
    out: Annotated[str, typer.Argument(help="Folder to write; new or empty.", metavar="OUT")],
    sequences: Annotated[int, typer.Option("--sequences", min=1, help="How many streets.")] = 1,
    frames: Annotated[int, typer.Option("--frames", min=1, help="Frames of each street, at 10 per second.")] = 20,
    size: Annotated[str, typer.Option("--size", help="Width x height in pixels.", metavar="WxH")] = "512x256",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, other streets.")] = 0,
    look: Annotated[
        LookName,
        typer.Option("--look", help="cg: flat and clean; camera: the same streets as a photograph might show them."),
    ] = LookName.CG,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; one per core where that pays. Same files.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw sample streets with exact labels, depth, flow, occlusion, boxes and camera poses.

    The folder is a simulator dump in the plain layout that every other command reads. The same options give the
    same files on any number of workers, and the two looks share every label, bit for bit.

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

    with Bar("frames", quiet=as_json, is_transient=True) as bar:
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
        typer.echo(f"{dump.root}: complete already, nothing to do")
    else:
        rate = dump.frames_written / dump.wall_s
        typer.echo(f"{dump.root}: {dump.frames_written} frames in {dump.wall_s:.1f} s ({rate:.1f} frames/s)")
