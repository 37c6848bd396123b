"""``sflow-pipeline schema``: the JSON schema of job files."""

import typer


def schema_command() -> None:
    """Print the JSON schema of job files, for editors and CI.

    An editor that knows YAML schemas completes and checks a job whose first line is
    # yaml-language-server: $schema=job.schema.json

    Examples:

      sflow-pipeline schema > job.schema.json
    """
    from sflow_pipeline.config.job_schema import write_job_schema

    typer.echo(write_job_schema(), nl=False)
