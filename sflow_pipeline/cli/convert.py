"""``sflow-pipeline convert``: a simulator dump in, a photo-realistic dataset out. Every flag is a field of the job."""

from functools import partial
from typing import Annotated, Any

import typer

from sflow_pipeline.cli.flag_names import name_flags
from sflow_pipeline.columns import CHOSEN_COLUMNS

# Options of one kind stand together on the help page.
_input, _model, _output, _run = (
    partial(typer.Option, rich_help_panel=kind) for kind in ("Input", "Model", "Output", "Run")
)


@name_flags()
def convert_command(
    sim_dir: Annotated[str, typer.Argument(help="The folder that the simulator wrote.", metavar="SIM_DIR")],
    out_dir: Annotated[
        str, typer.Argument(help="The dataset's folder: new, or an older dataset to update.", metavar="OUT_DIR")
    ],
    simulator: Annotated[
        str | None, _input(help="Layout of the dump; `list simulators` has them.", show_default="recognised")
    ] = None,
    label_space: Annotated[
        str | None,
        _input(help="Label space of the labels: a name (`list label-spaces`) or a file.", show_default="the dump's"),
    ] = None,
    label_encoding: Annotated[
        str | None,
        _input(
            help="How label files hold ids: ids, red_channel, rgb_ids or palette.",
            show_default="what the files show",
            metavar="NAME",
        ),
    ] = None,
    instance_encoding: Annotated[
        str | None,
        _input(
            help="What instance files hold: class_times_1000, class_times_256, class_in_red, numbered or "
            "numbered_road_users.",
            show_default="what the files show",
            metavar="NAME",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        _input(
            help="Path pattern of each column, by comma: render=img/{sequence}/{frame}.png,label=….",
            show_default="recognised",
            metavar="PATTERNS",
        ),
    ] = None,
    unknown_ids: Annotated[
        str | None,
        _input(help="Label ids outside the label space: error, or ignore (the model sees void).", show_default="error"),
    ] = None,
    max_unknown_fraction: Annotated[
        float | None,
        _input(
            help="With --unknown-ids ignore: stop when more of the pixels have such an id.",
            show_default="0.1",
            metavar="X",
        ),
    ] = None,
    max_void_fraction: Annotated[
        float | None,
        _input(help="Stop when the model has no class for more of the pixels.", show_default="1", metavar="X"),
    ] = None,
    max_frame_void: Annotated[
        float | None,
        _input(
            help="Leave out frames of whose label more belongs to no class.",
            show_default="0.4, or 0.25 more than most labels",
            metavar="X",
        ),
    ] = None,
    contradictions: Annotated[
        str | None,
        _input(
            help="Pictures and labels that do not belong together: error, or ignore.",
            show_default="error",
            metavar="NAME",
        ),
    ] = None,
    split: Annotated[str | None, _input(help="Put every frame in this split.", show_default="the dump's")] = None,
    video: Annotated[
        bool | None,
        _output(
            "--video/--no-video",
            help="Also write report/videos/<sequence>.mp4, rendered beside converted.",
            show_default="no",
        ),
    ] = None,
    limit: Annotated[
        int | None, _input(help="Convert the first N frames only.", show_default="all", metavar="N")
    ] = None,
    split_by: Annotated[
        tuple[str, str] | None,
        _input(
            help="Make splits: what stays whole (sequence, block of 50 frames, or frame), and the shares of train, val "
            "and test; recorded, so that a growing dump keeps them.",
            show_default="the dump's splits",
            metavar="UNIT SHARES",
        ),
    ] = None,
    content_hash: Annotated[
        bool | None,
        _input(
            "--content-hash/--no-content-hash",
            help="Identify source files by content, not by size and time.",
            show_default="no-content-hash",
        ),
    ] = None,
    bundle: Annotated[
        str | None, _model(help="Trained bundle: a name (`list bundles`) or a folder.", show_default="sflow")
    ] = None,
    device: Annotated[str | None, _model(help="auto, cpu, cuda or cuda:N.", show_default="auto")] = None,
    precision: Annotated[str | None, _model(help="auto, fp32 or bf16.", show_default="auto")] = None,
    backend: Annotated[
        str | None,
        _model(
            help="Folder of `models export` whose files run in torch's place, with --appearance palette.",
            show_default="torch",
            metavar="FOLDER",
        ),
    ] = None,
    variants: Annotated[int | None, _model(help="Variants of each frame.", show_default="1", metavar="N")] = None,
    alpha: Annotated[
        str | None,
        _model(
            help="Edges of the first variants, comma-separated: even, crisp, soft, broad; further ones are drawn.",
            show_default="even",
            metavar="NAMES",
        ),
    ] = None,
    appearance: Annotated[
        str | None,
        _model(
            help="How far images follow the render: 0 to 1, palette, coarse, fine, full, or auto.",
            show_default="auto",
            metavar="HOW",
        ),
    ] = None,
    photo_colors: Annotated[
        float | None,
        _model(
            help="How far class colours move from the render's to those of photos, 0 to 1.",
            show_default="0.2",
            metavar="SHARE",
        ),
    ] = None,
    own_vehicle: Annotated[
        str | None,
        _model(
            help="The recording vehicle's own bonnet: keep as rendered, paint, or mask.",
            show_default="keep",
            metavar="HOW",
        ),
    ] = None,
    own_vehicle_mask: Annotated[
        str | None,
        _model(help="Picture, black but where the own vehicle is.", show_default="found in the labels", metavar="FILE"),
    ] = None,
    palette: Annotated[
        str | None,
        _model(
            help="Colours of the first variant: typical, or drawn for every sequence.",
            show_default="typical",
            metavar="WHICH",
        ),
    ] = None,
    shifts: Annotated[
        int | None,
        _model(
            help="Make each image of N shifted copies of the frame: steadier in video, softer, N times the work.",
            show_default="1",
            metavar="N",
        ),
    ] = None,
    smooth: Annotated[
        float | None,
        _model(
            help="Steadier sequences: how far (0 to 1) each image is blended with its neighbours, carried along the "
            "simulator's flow, or the motion measured where there is none.",
            show_default="1 where the dump has flow, else 0",
            metavar="SHARE",
        ),
    ] = None,
    seed: Annotated[int | None, _model(help="Random seed of the variants.", show_default="0")] = None,
    gate: Annotated[
        str | None,
        _output(
            help="Agreement of images with their labels: off, score, or enforce.", show_default="score", metavar="MODE"
        ),
    ] = None,
    gate_retries: Annotated[
        int | None,
        _output(help="How often an image that the gate refuses is made again.", show_default="1", metavar="N"),
    ] = None,
    size: Annotated[
        str | None,
        _output(
            help="Output size; labels are resized by nearest neighbour.", show_default="the source's", metavar="WxH"
        ),
    ] = None,
    format: Annotated[
        str | None, _output("--format", help="parquet, or png for a tree of files.", show_default="parquet")
    ] = None,
    image_format: Annotated[
        str | None,
        _output(help="Images as png, webp (lossless, extra `webp`) or jpeg.", show_default="png", metavar="FORMAT"),
    ] = None,
    include: Annotated[
        str | None,
        _output(
            help=f"Optional columns, comma-separated: {', '.join(CHOSEN_COLUMNS)}.",
            show_default="all that the dump has, and edge",
            metavar="COLUMNS",
        ),
    ] = None,
    shard_frames: Annotated[
        int | None, _output(help="Maximum frames in a shard.", show_default="512", metavar="N")
    ] = None,
    shard_bytes: Annotated[
        int | None, _output(help="Maximum bytes in a shard, estimated.", show_default="268435456", metavar="N")
    ] = None,
    workers: Annotated[
        int | None, _run(help="Worker processes.", show_default="chosen for machine and work", metavar="N")
    ] = None,
    batch_size: Annotated[
        int | None,
        _run(
            help="Frames translated at once; on a GPU another number gives slightly other pixels.",
            show_default="1 on a CPU, more on a GPU",
            metavar="N",
        ),
    ] = None,
    address: Annotated[str | None, _run(help="Address of a Ray cluster.", show_default="none, this machine")] = None,
    max_bad_fraction: Annotated[
        float | None,
        _run(help="Stop when a larger share of frames cannot be converted.", show_default="0.05", metavar="X"),
    ] = None,
    resume: Annotated[
        bool | None, _run("--resume/--no-resume", help="Keep what is committed and unchanged.", show_default="resume")
    ] = None,
    replace: Annotated[
        bool | None,
        _run(
            "--replace",
            help="Convert although rows of the dataset would go: of another dump, or left out by other options.",
            show_default="no",
        ),
    ] = None,
    notify: Annotated[
        str | None,
        _run(
            help="Program that is run at the end, however it ends: SFLOW_STATE and others in its environment.",
            show_default="none",
            metavar="COMMAND",
        ),
    ] = None,
    metrics_file: Annotated[
        str | None,
        _run(help="File for Prometheus' text format, renewed every few seconds.", show_default="none", metavar="FILE"),
    ] = None,
    dry_run: Annotated[bool, _run("--dry-run", help="Print what a run would change and stop.")] = False,
    quiet: Annotated[bool, _run("--quiet", "-q", help="Print warnings and errors alone.")] = False,
    as_json: Annotated[bool, _run("--json", help="Print one JSON summary.")] = False,
) -> None:
    """Turn a simulator dump into a photo-realistic dataset whose labels are the simulator's, byte for byte.

    Run it again to resume after an interruption, or to update the dataset after the dump changed: only what
    changed is converted. What would take rows away from the dataset, such as another dump or fewer variants, asks
    for --replace.

    --dry-run lists what differs from the dataset in settings, source files and shards. Its exit code is 0 where the
    dataset is up to date, 10 where there is work to do, 1 where the conversion would be refused.

    Examples:

      sflow-pipeline convert SIM_DIR OUT_DIR
      sflow-pipeline convert SIM_DIR OUT_DIR --variants 3 --workers 4
      sflow-pipeline convert SIM_DIR OUT_DIR --variants 4 --alpha even,crisp
      sflow-pipeline convert SIM_DIR OUT_DIR --split-by sequence 0.8/0.1/0.1
      sflow-pipeline convert SIM_DIR OUT_DIR --smooth 1 --video
      sflow-pipeline convert SIM_DIR OUT_DIR --dry-run
    """
    flags: dict[str, Any] = {
        name: value
        for name, value in locals().items()
        if name not in ("dry_run", "quiet", "as_json") and value is not None
    }
    from sflow_pipeline.cli.run_in_terminal import run_in_terminal
    from sflow_pipeline.config.job import build_job

    run_in_terminal(build_job(flags), dry_run=dry_run, quiet=quiet, as_json=as_json)
