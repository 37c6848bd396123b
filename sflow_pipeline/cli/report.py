"""``sflow-pipeline report``: writes the report page of a dataset again."""

from typing import Annotated

import typer


def report_command(
    out_dir: Annotated[str, typer.Argument(help="The dataset's folder.", metavar="OUT_DIR")],
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, max=5000, help="Frames on the page; 48 where not given.", metavar="N"),
    ] = None,
) -> None:
    """Write OUT_DIR/report/index.html again: frames, scores, classes, sequences, evaluation and provenance.

    The page is one file of at most 20 MB that loads nothing from anywhere. It shows a sample of the frames: some spread
    evenly over the dataset, some with the worst scores.

    Examples:

      sflow-pipeline report OUT_DIR
      sflow-pipeline report OUT_DIR --sample 200
    """
    from sflow_pipeline.report.dataset_page import DEFAULT_SAMPLE, write_report_page

    typer.echo(f"written: {write_report_page(out_dir, sample=sample or DEFAULT_SAMPLE)}")
