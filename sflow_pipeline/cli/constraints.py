"""``sflow-pipeline constraints``: the tested versions of every dependency."""

import typer

from sflow_pipeline.constraints import read_constraints


def constraints_command() -> None:
    """Print the constraints file of this version for pip: every dependency at the version it was tested with.

    It needs no dependency itself: python -m sflow_pipeline constraints runs after pip install --no-deps.

    Examples:

      sflow-pipeline constraints > constraints.txt
    """
    typer.echo(read_constraints(), nl=False)
