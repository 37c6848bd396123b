"""Wires the commands together and turns errors into messages and exit codes."""

import os
import sys
from typing import Annotated

import typer

from sflow_pipeline import __version__
from sflow_pipeline.cli.convert import convert_command
from sflow_pipeline.cli.inspect import inspect_command
from sflow_pipeline.cli.run import run_command
from sflow_pipeline.cli.simulate import simulate_command
from sflow_pipeline.cli.train import train_command
from sflow_pipeline.cli.verify import verify_command
from sflow_pipeline.errors import SflowError

app = typer.Typer(
    name="sflow-pipeline",
    help="Turns simulator output into photo-realistic datasets whose labels are still true.",
    epilog="Exit codes: 0 clean, 1 failed, 2 usage, 3 finished with quarantined frames.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("inspect")(inspect_command)
app.command("convert")(convert_command)
app.command("run")(run_command)
app.command("verify")(verify_command)
app.command("train")(train_command)
app.command("simulate")(simulate_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sflow-pipeline {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turns simulator output into photo-realistic datasets whose labels are still true."""


def main() -> None:
    """Run the command line; every deliberate error becomes two lines on stderr and its exit code."""
    try:
        app()
    except SflowError as error:
        _print_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader left (`| head`); point stdout at nothing so that the interpreter's own flush stays quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _print_error(error: SflowError) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("error:", style="bold red", end=" ")
    console.print(error.message, markup=False)
    if error.hint:
        console.print("hint:", style="bold", end=" ")
        console.print(error.hint, markup=False)
