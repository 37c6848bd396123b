"""``sflow-pipeline export``: a dataset in the layout of another tool."""

import json
from typing import Annotated

import typer

from sflow_pipeline.cli.bar import LINE_EVERY_S, Bar
from sflow_pipeline.cli.stderr_line import print_stderr_line
from sflow_pipeline.export.formats import FORMATS

_FORMATS = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"


def export_command(
    out_dir: Annotated[str, typer.Argument(help="The dataset's folder.", metavar="OUT_DIR")],
    dest: Annotated[str, typer.Argument(help="Folder to write: new, empty, or an earlier export.", metavar="DEST")],
    to: Annotated[str, typer.Option("--to", help=f"Layout: {_FORMATS}.", metavar="FORMAT")],
    split: Annotated[list[str] | None, typer.Option("--split", help="This split only; may be repeated.")] = None,
    variant: Annotated[
        list[int] | None, typer.Option("--variant", min=0, help="This variant only; may be repeated.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option("--fps", help="Frames per second of mp4; the dump's if not given.")
    ] = None,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Export coco or yolo although no row holds a countable object.")
    ] = False,
    split_by: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--split-by",
            help="New splits: what stays whole (sequence, block of 50 frames, or frame), and the shares of train, "
            "val and test.",
            metavar="UNIT SHARES",
        ),
    ] = None,
    min_side: Annotated[
        int, typer.Option("--min-side", help="yolo: leave out boxes with a side of fewer pixels.", metavar="PX")
    ] = 3,
    min_fill: Annotated[
        float,
        typer.Option(
            "--min-fill", help="yolo: leave out objects that fill less of their box, mostly hidden ones.", metavar="X"
        ),
    ] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a dataset in the layout of another tool. DEST is written atomically.

    png and webdataset keep every file as it is. coco numbers categories from 1 and gives objects a track_id; without
    instances it holds stuff. yolo (boxes) and yolo-seg (outlines) number classes from 0. All three fail where instances
    hold no countable object. cityscapes and kitti hold Cityscapes' classes only: labels are remapped by meaning, and
    the summary lists the classes that are lost; objects keep their number for a sequence. mp4 holds pictures alone.

    Examples:

      sflow-pipeline export OUT_DIR cityscapes/ --to cityscapes
      sflow-pipeline export OUT_DIR boxes/ --to yolo --split-by sequence 0.8/0.2
      sflow-pipeline export OUT_DIR videos/ --to mp4 --variant 0
    """
    from sflow_pipeline.export.export_dataset import export_dataset

    with Bar("rows", quiet=as_json, is_transient=True, line_every_s=LINE_EVERY_S) as bar:
        summary = export_dataset(
            out_dir,
            dest,
            to,
            splits=split or None,
            variants=variant or None,
            fps=fps,
            allow_empty=allow_empty,
            split_by=split_by,
            min_side_px=min_side,
            min_fill=min_fill,
            on_progress=lambda done, total: bar.show(done, total, description="exporting"),
        )
    if as_json:
        typer.echo(json.dumps(summary.to_dict(), indent=2))
        return
    objects = "" if summary.objects is None else f" with {summary.objects} objects"
    typer.echo(f"{dest}: {summary.rows} rows{objects} in {summary.files} files, {summary.size_bytes / 1e6:.1f} MB")
    typer.echo(f"layout: {summary.layout}")
    typer.echo(f"labels: {summary.labels}")
    for note in summary.notes:
        print_stderr_line("note", note, "yellow")
