"""``sflow-pipeline run``: a conversion described by a YAML file."""

from typing import Annotated

import typer


def run_command(
    job: Annotated[
        str, typer.Argument(help="A job's YAML file; its keys are the flags of convert.", metavar="JOB.yaml")
    ],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key: --set variants=3.", metavar="KEY=VALUE")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what a run would change and stop; exit code 10: work to do.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and errors alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON summary.")] = False,
) -> None:
    """Run a job: the same as convert, from a file, for cron, CI and clusters.

    The file's keys are the flags of convert, with underscores. A key that does not exist is refused, with the
    nearest one that does. The exit code of --dry-run is 0 where the dataset is up to date and 10 where there is work.

    Examples:

      sflow-pipeline run pipelines/smoke.yaml
      sflow-pipeline run pipelines/smoke.yaml --set workers=2 --set variants=3
    """
    from sflow_pipeline.cli.run_in_terminal import run_in_terminal
    from sflow_pipeline.config.decode import parse_settings
    from sflow_pipeline.config.job import load_job

    overrides = parse_settings(settings or [], example="variants=3")
    run_in_terminal(load_job(job, overrides), dry_run=dry_run, quiet=quiet, as_json=as_json)
