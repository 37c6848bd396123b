"""``sflow-pipeline bench``: speed of a bundle on this machine, stage by stage, beside the machine's ceilings."""

import json
from pathlib import Path
from typing import Annotated

import typer

from sflow_pipeline.cli.flag_names import name_flags
from sflow_pipeline.errors import OutputError, UsageError

_PRECISIONS = ("auto", "fp32", "bf16")


@name_flags()
def bench_command(
    bundle: Annotated[
        str | None, typer.Option("--bundle", help="Bundle, by name or folder; the default one where left out.")
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option("--size", help="Width x height in pixels; may be repeated.", metavar="WxH", show_default=False),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option("--precision", help="auto, fp32 or bf16; may be repeated.", show_default="auto"),
    ] = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option("--batch-size", min=1, help="Frames at once; may be repeated.", show_default="1"),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    frames: Annotated[int, typer.Option("--frames", min=1, help="Frames of every stage and round, at least.")] = 4,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Rounds; medians count.")] = 3,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="Another generator, timed in the same rounds: a function of class channels (h, w) and render "
            "(h, w, 3), both uint8, that returns an image (h, w, 3) uint8.",
            metavar="MODULE:FUNCTION",
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            "--backend",
            help="Folder of `models export`, timed in the same rounds; images then follow labels and edges alone.",
            metavar="FOLDER",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Write a roofline picture (SVG) there.", metavar="FILE")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how fast a bundle is on this machine, and how far that is from what the machine can do.

    Stages: decode (read, check, decode), model (edges, DNED, generator), gate, encode (PNG), write (Parquet, synced),
    pipeline (all of it). Frames are drawn by the built-in simulator. On a CPU times are processor time of one thread,
    so that other programs disturb little. Sizes where none is named: 256x192, 512x256, 1280x720.

    Examples:

      sflow-pipeline bench --size 512x256
      sflow-pipeline bench --size 512x256 --precision bf16 --plot speed.svg
      sflow-pipeline bench --size 1920x1080 --batch-size 8 --json
      sflow-pipeline bench --size 512x256 --against my_generator:paint
    """
    from sflow_pipeline.bench.options import DEFAULT_SIZES, BenchOptions
    from sflow_pipeline.bench.roofline import draw_roofline
    from sflow_pipeline.bench.suite import run_bench
    from sflow_pipeline.bench.table import render_table
    from sflow_pipeline.cli.stderr_line import print_stderr_line

    if plot is not None and not plot.absolute().parent.is_dir():
        raise UsageError(f"--plot {plot}: there is no folder {plot.parent}", hint="make it first")
    for name in precision or ():
        if name not in _PRECISIONS:
            raise UsageError(f"--precision {name}: no such precision", hint=f"use {', '.join(_PRECISIONS)}")
    options = BenchOptions(
        bundle=bundle,
        sizes_px=tuple(_parse_size(text) for text in size) if size else DEFAULT_SIZES,
        precisions=tuple(precision or ["auto"]),
        batch_sizes=tuple(batch_size or [1]),
        device=device,
        frames=frames,
        repeats=repeats,
        backend=backend,
        against=against,
    )
    result = run_bench(options, on_step=lambda text: print_stderr_line("measuring", text, "bold"))
    typer.echo(json.dumps(result.to_dict(), indent=2) if as_json else render_table(result), nl=as_json)
    if plot is not None:
        try:
            plot.write_text(draw_roofline(result), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"--plot {plot}: {error.strerror}", hint="name another file") from error


def _parse_size(text: str) -> tuple[int, int]:
    from sflow_pipeline.config.decode import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(f"--size {text}: {error}", hint="try --size 512x256") from error
