"""``sflow-pipeline run``: a conversion, or a chain of steps, described by a YAML file."""

from typing import Annotated

import typer


def run_command(
    job: Annotated[str, typer.Argument(help="The job's YAML file.", metavar="JOB.yaml")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a key: variants=3, export.to=coco.", metavar="KEY=VALUE"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what a run would change and stop; exit code 10: work to do.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and errors alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON summary.")] = False,
) -> None:
    """Run a job file, for cron, CI and clusters: a conversion, or steps in order.

    The file's keys are the flags of convert, with underscores; or it has steps: command (a program, such as the
    simulator), simulate, convert, verify and export. The first step that fails ends the job. ${NAME} in a value is an
    environment variable, ${NAME:-default} has a default, $$ is a dollar sign, and {date} the date. A key that does not
    exist is refused, with the nearest one that does.

    The exit code of --dry-run is 0 where the dataset is up to date and 10 where there is work.

    Examples:

      sflow-pipeline run pipelines/smoke.yaml
      sflow-pipeline run pipelines/smoke.yaml --set workers=2 --set variants=3
      sflow-pipeline run pipelines/smoke.yaml --set export.to=yolo --dry-run
    """
    from sflow_pipeline.cli.run_in_terminal import run_in_terminal
    from sflow_pipeline.cli.run_steps import run_steps
    from sflow_pipeline.config.decode import parse_settings
    from sflow_pipeline.config.steps import load_job_file

    chain = load_job_file(job, parse_settings(settings or [], example="variants=3"))
    only = chain.steps[0].convert
    if len(chain.steps) == 1 and only is not None:
        run_in_terminal(only, dry_run=dry_run, quiet=quiet, as_json=as_json)
    else:
        raise typer.Exit(run_steps(chain, dry_run=dry_run, quiet=quiet, as_json=as_json))
