"""``sflow-pipeline label``: labels of unlabelled real video, predicted by a bundle's segmenter."""

from typing import Annotated

import typer

from sflow_pipeline.cli.bar import LINE_EVERY_S, Bar
from sflow_pipeline.cli.stderr_line import print_stderr_line


def label_command(
    source: Annotated[
        str, typer.Argument(help="Video (mp4, avi, mov, mkv, webm), or folder of pictures or videos.", metavar="SOURCE")
    ],
    out: Annotated[str, typer.Argument(help="Folder to write; new, empty, or of the same command.", metavar="OUT")],
    bundle: Annotated[
        str | None, typer.Option("--bundle", help="Bundle whose segmenter predicts; the default one if not given.")
    ] = None,
    confidence: Annotated[
        float, typer.Option("--confidence", help="Least probability of a pixel's class; void below it.", metavar="X")
    ] = 0.5,
    every: Annotated[int, typer.Option("--every", min=1, help="Label one of so many frames.", metavar="N")] = 1,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Label unlabelled real video, so that train can learn from it.

    OUT has the plain layout: the pictures in <sequence>/rgb, their predicted labels in <sequence>/semantic. Frames that
    cannot be read are left out and named. Videos need PyAV: pip install 'sflow-pipeline\\[video]'.

    Examples:

      sflow-pipeline label dashcam.mp4 labelled --every 3
      sflow-pipeline label drives/ labelled --confidence 0.7
    """
    from sflow_pipeline.labelling.label_footage import describe_summary, label_footage

    with Bar("frames", quiet=as_json, is_transient=True, line_every_s=LINE_EVERY_S) as bar:
        summary = label_footage(
            source,
            out,
            bundle=bundle,
            confidence=confidence,
            every=every,
            device=device,
            on_progress=lambda done, total: bar.show(done, total, description="labelling"),
        )
    for note in summary.notes:
        print_stderr_line("note", note, "yellow")
    for frame, reason in list(summary.left_out.items())[:5]:
        print_stderr_line("warning", f"{frame} is left out: {reason}", "yellow")
    if len(summary.left_out) > 5:
        print_stderr_line("warning", f"{len(summary.left_out)} frames are left out in all", "yellow")
    if as_json:
        typer.echo(describe_summary(summary))
        return
    void = "" if summary.void is None else f", {summary.void:.0%} of the pixels void"
    kept = f" ({summary.kept} were there)" if summary.kept else ""
    typer.echo(f"{summary.root}: {summary.frames} frames of {summary.sequences} sequences{kept}{void}")
