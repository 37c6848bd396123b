"""``sflow-pipeline convert``: a simulator dump in, a photo-realistic dataset out. Every flag is a field of the job."""

from functools import partial
from typing import Annotated, Any

import typer

from sflow_pipeline.columns import CHOSEN_COLUMNS

# Options of one kind stand together on the help page.
_input, _model, _output, _run = (
    partial(typer.Option, rich_help_panel=kind) for kind in ("Input", "Model", "Output", "Run")
)


def convert_command(
    sim_dir: Annotated[str, typer.Argument(help="The folder that the simulator wrote.", metavar="SIM_DIR")],
    out_dir: Annotated[
        str, typer.Argument(help="The dataset's folder: new, or an older dataset to update.", metavar="OUT_DIR")
    ],
    simulator: Annotated[str | None, _input(help="Layout of the dump; recognised by default.")] = None,
    label_space: Annotated[
        str | None,
        _input(help="Label space of the labels: a name or a YAML file."),
    ] = None,
    label_encoding: Annotated[
        str | None,
        _input(help="How label files hold ids: ids, red_channel, rgb_ids or palette.", metavar="NAME"),
    ] = None,
    instance_encoding: Annotated[
        str | None,
        _input(
            help="What instance files hold: class_times_1000, class_times_256, class_in_red, numbered or "
            "numbered_road_users.",
            metavar="NAME",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        _input(
            help="Path pattern of each column, by comma: render=img/{sequence}/{frame}.png,label=….",
            metavar="PATTERNS",
        ),
    ] = None,
    unknown_ids: Annotated[
        str | None,
        _input(help="Label ids outside the label space: error, or ignore (the model sees void)."),
    ] = None,
    max_unknown_fraction: Annotated[
        float | None,
        _input(help="With --unknown-ids ignore: stop when more of the pixels have such an id.", metavar="X"),
    ] = None,
    max_void_fraction: Annotated[
        float | None,
        _input(help="Stop when the model has no class for more of the pixels.", metavar="X"),
    ] = None,
    max_frame_void: Annotated[
        float | None,
        _input(help="Leave out frames of whose label more belongs to no class.", metavar="X"),
    ] = None,
    contradictions: Annotated[
        str | None,
        _input(help="Pictures and labels that do not belong together: error, or ignore.", metavar="NAME"),
    ] = None,
    split: Annotated[str | None, _input(help="Put every frame in this split.")] = None,
    split_by: Annotated[
        tuple[str, str] | None,
        _input(
            help="Make splits: what stays whole (sequence, block of 50 frames, or frame), and the shares of train, val "
            "and test; recorded, so that a growing dump keeps them.",
            metavar="UNIT SHARES",
        ),
    ] = None,
    limit: Annotated[int | None, _input(help="Convert the first N frames only.", metavar="N")] = None,
    content_hash: Annotated[
        bool | None,
        _input(
            "--content-hash/--no-content-hash",
            help="Identify source files by content, not by size and time.",
            show_default=False,
        ),
    ] = None,
    bundle: Annotated[str | None, _model(help="Trained bundle: a name under models/ or a folder.")] = None,
    device: Annotated[str | None, _model(help="auto, cpu, cuda or cuda:N.")] = None,
    precision: Annotated[str | None, _model(help="auto, fp32 or bf16.")] = None,
    variants: Annotated[int | None, _model(help="Variants of each frame.", metavar="N")] = None,
    alpha: Annotated[
        str | None,
        _model(
            help="Edges of the first variants, comma-separated: even, crisp, soft, broad; further ones are drawn.",
            metavar="NAMES",
        ),
    ] = None,
    appearance: Annotated[
        str | None,
        _model(help="How far images follow the render: 0 to 1, palette, coarse, fine, full, or auto.", metavar="HOW"),
    ] = None,
    photo_colors: Annotated[
        float | None,
        _model(help="How far class colours move from the render's to those of photos, 0 to 1.", metavar="SHARE"),
    ] = None,
    own_vehicle: Annotated[
        str | None,
        _model(help="The recording vehicle's own bonnet: keep as rendered, paint, or mask.", metavar="HOW"),
    ] = None,
    own_vehicle_mask: Annotated[
        str | None,
        _model(
            help="Picture that is not black where the own vehicle is; by default it is found in the labels.",
            metavar="FILE",
        ),
    ] = None,
    palette: Annotated[
        str | None,
        _model(help="Colours of the first variant: typical, or drawn for every sequence.", metavar="WHICH"),
    ] = None,
    seed: Annotated[int | None, _model(help="Random seed of the variants.")] = None,
    gate: Annotated[
        str | None,
        _output(help="Agreement of images with their labels: off, score, or enforce.", metavar="MODE"),
    ] = None,
    gate_retries: Annotated[
        int | None,
        _output(help="How often an image that the gate refuses is made again.", metavar="N"),
    ] = None,
    size: Annotated[
        str | None,
        _output(help="Output size; labels are resized by nearest neighbour.", metavar="WxH"),
    ] = None,
    format: Annotated[str | None, _output("--format", help="parquet, or png for a tree of files.")] = None,
    include: Annotated[
        str | None,
        _output(
            help=f"Optional columns, comma-separated: {', '.join(CHOSEN_COLUMNS)}.",
            metavar="COLUMNS",
        ),
    ] = None,
    shard_frames: Annotated[int | None, _output(help="Maximum frames in a shard.", metavar="N")] = None,
    shard_bytes: Annotated[int | None, _output(help="Maximum bytes in a shard, estimated.", metavar="N")] = None,
    workers: Annotated[
        int | None,
        _run(help="Worker processes; chosen for the machine and the work by default.", metavar="N"),
    ] = None,
    batch_size: Annotated[
        int | None,
        _run(help="Frames translated at once; on a GPU another number gives slightly other pixels.", metavar="N"),
    ] = None,
    address: Annotated[str | None, _run(help="Address of a Ray cluster.")] = None,
    max_bad_fraction: Annotated[
        float | None,
        _run(help="Stop when a larger share of frames cannot be converted.", metavar="X"),
    ] = None,
    resume: Annotated[
        bool | None,
        _run("--resume/--no-resume", help="Keep what is committed and unchanged.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, _run("--dry-run", help="Print the plan and stop.")] = False,
    as_json: Annotated[bool, _run("--json", help="Print one JSON summary.")] = False,
) -> None:
    """Turn a simulator dump into a photo-realistic dataset whose labels are the simulator's, byte for byte.

    Run it again to resume after an interruption, or to update the dataset after the dump changed: only what
    changed is converted.

    Examples:

      sflow-pipeline convert SIM_DIR OUT_DIR
      sflow-pipeline convert SIM_DIR OUT_DIR --variants 3 --workers 4
      sflow-pipeline convert SIM_DIR OUT_DIR --variants 4 --alpha even,crisp
      sflow-pipeline convert SIM_DIR OUT_DIR --split-by sequence 0.8/0.1/0.1
      sflow-pipeline convert SIM_DIR OUT_DIR --dry-run
    """
    flags: dict[str, Any] = {
        name: value for name, value in locals().items() if name not in ("dry_run", "as_json") and value is not None
    }
    from sflow_pipeline.cli.run_in_terminal import run_in_terminal
    from sflow_pipeline.config.job import build_job

    run_in_terminal(build_job(flags), dry_run=dry_run, as_json=as_json)
