"""``sflow-pipeline convert``: a simulator dump in, a photo-realistic dataset out. Every flag is a field of the job."""

from typing import Annotated, Any

import typer

_FOLDERS, _MODEL, _OUTPUT, _RUN = "Input", "Model", "Output", "Run"


def convert_command(
    sim_dir: Annotated[str, typer.Argument(help="The folder that the simulator wrote.", metavar="SIM_DIR")],
    out_dir: Annotated[
        str, typer.Argument(help="The dataset's folder; new, or to be brought up to date.", metavar="OUT_DIR")
    ],
    simulator: Annotated[
        str | None, typer.Option(help="Read it as this layout instead of finding out.", rich_help_panel=_FOLDERS)
    ] = None,
    label_space: Annotated[
        str | None,
        typer.Option(help="Label space that the labels follow: a name or a YAML file.", rich_help_panel=_FOLDERS),
    ] = None,
    unknown_ids: Annotated[
        str | None,
        typer.Option(
            help="Label ids outside the label space: error, or ignore (the model sees void).", rich_help_panel=_FOLDERS
        ),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Put every frame in this split.", rich_help_panel=_FOLDERS)] = None,
    limit: Annotated[
        int | None, typer.Option(help="Convert the first N frames only.", metavar="N", rich_help_panel=_FOLDERS)
    ] = None,
    content_hash: Annotated[
        bool | None,
        typer.Option(
            "--content-hash/--no-content-hash",
            help="Know source files by content, not by size and time: for CI.",
            show_default=False,
            rich_help_panel=_FOLDERS,
        ),
    ] = None,
    bundle: Annotated[
        str | None, typer.Option(help="Trained bundle: a name under models/ or a folder.", rich_help_panel=_MODEL)
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.", rich_help_panel=_MODEL)] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32 or bf16.", rich_help_panel=_MODEL)] = None,
    variants: Annotated[
        int | None, typer.Option(help="Different photos of each frame.", metavar="N", rich_help_panel=_MODEL)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides how variants differ.", rich_help_panel=_MODEL)] = None,
    size: Annotated[
        str | None,
        typer.Option(
            help="Output size; labels are then resized by nearest pixel.", metavar="WxH", rich_help_panel=_OUTPUT
        ),
    ] = None,
    format: Annotated[
        str | None, typer.Option("--format", help="parquet, or png for a tree of files.", rich_help_panel=_OUTPUT)
    ] = None,
    include: Annotated[
        str | None,
        typer.Option(
            help="Optional columns, by comma: instance, depth, flow, occlusion, boxes, camera, render, edge.",
            metavar="COLUMNS",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    shard_frames: Annotated[
        int | None, typer.Option(help="Most frames in a shard.", metavar="N", rich_help_panel=_OUTPUT)
    ] = None,
    shard_bytes: Annotated[
        int | None, typer.Option(help="Most bytes in a shard, estimated.", metavar="N", rich_help_panel=_OUTPUT)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Worker processes; found out from the machine and the work.", metavar="N", rich_help_panel=_RUN
        ),
    ] = None,
    address: Annotated[str | None, typer.Option(help="Ray cluster to work on.", rich_help_panel=_RUN)] = None,
    max_bad_fraction: Annotated[
        float | None,
        typer.Option(help="Stop when more frames than this cannot be converted.", metavar="X", rich_help_panel=_RUN),
    ] = None,
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--no-resume",
            help="Keep what is committed and unchanged.",
            show_default=False,
            rich_help_panel=_RUN,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.", rich_help_panel=_RUN)
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON summary.", rich_help_panel=_RUN)] = False,
) -> None:
    """Turn a simulator dump into a photo-realistic dataset whose labels are the simulator's, byte for byte.

    Run it again to go on after an interruption, or to bring the dataset up to date with a changed dump: only what
    changed is converted.

    Examples:

      sflow-pipeline convert SIM_DIR OUT_DIR
      sflow-pipeline convert SIM_DIR OUT_DIR --variants 3 --workers 4
      sflow-pipeline convert SIM_DIR OUT_DIR --dry-run
    """
    flags: dict[str, Any] = {
        name: value for name, value in locals().items() if name not in ("dry_run", "as_json") and value is not None
    }
    from sflow_pipeline.cli.conversion_run import run_in_terminal
    from sflow_pipeline.config.job import build_job

    run_in_terminal(build_job(flags), dry_run=dry_run, as_json=as_json)
