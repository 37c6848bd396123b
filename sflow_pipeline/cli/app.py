"""The command line program: its commands, error messages and exit codes."""

import difflib
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sflow_pipeline.addresses import redact_text
from sflow_pipeline.cli.bench import bench_command
from sflow_pipeline.cli.constraints import constraints_command
from sflow_pipeline.cli.convert import convert_command
from sflow_pipeline.cli.downstream import downstream_command
from sflow_pipeline.cli.evaluate import evaluate_command
from sflow_pipeline.cli.export import export_command
from sflow_pipeline.cli.inspect import inspect_command
from sflow_pipeline.cli.label import label_command
from sflow_pipeline.cli.list import list_command
from sflow_pipeline.cli.models import models_export_command
from sflow_pipeline.cli.report import report_command
from sflow_pipeline.cli.run import run_command
from sflow_pipeline.cli.schema import schema_command
from sflow_pipeline.cli.simulate import simulate_command
from sflow_pipeline.cli.status import status_command
from sflow_pipeline.cli.stderr_line import print_stderr_line
from sflow_pipeline.cli.train import train_command
from sflow_pipeline.cli.verify import verify_command
from sflow_pipeline.errors import SflowError, first_line

#: Base of typer's errors about a command line; newer versions of typer carry their own copy of click.
_CommandLineError: type[Any] = typer.BadParameter.__mro__[1]


class _Commands(TyperGroup):
    """Ends every interrupted command alike: one line, and the exit code of the signal."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            print("stopped: finished work is kept; run the same command again to resume", file=sys.stderr)
            raise typer.Exit(getattr(stop, "exit_code", 130)) from None


app = typer.Typer(
    name="sflow-pipeline",
    cls=_Commands,
    help="Turns simulator output into photo-realistic datasets whose labels are still true.",
    epilog="Exit codes: 0 clean, 1 failed, 2 usage, 3 finished with quarantined frames, 10 work to do (--dry-run).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


models_app = typer.Typer(no_args_is_help=True, help="Bundles as files for other programs.", rich_markup_mode="rich")


def _add(name: str, command: Callable[..., None], group: typer.Typer = app) -> None:
    group.command(name, help=join_lines(command.__doc__ or ""))(command)


def join_lines(docstring: str) -> str:
    """Paragraphs on one line each, for terminals of any width; indented ones, which are examples, as they are.

    >>> print(join_lines("Do it.\\n\\n    A long\\n    story.\\n\\n      example 1\\n      example 2\\n    "))
    Do it.
    <BLANKLINE>
    A long story.
    <BLANKLINE>
      example 1
      example 2
    """
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(text if text.startswith(" ") else text.replace("\n", " ") for text in paragraphs)


_add("inspect", inspect_command)
_add("convert", convert_command)
_add("run", run_command)
_add("status", status_command)
_add("verify", verify_command)
_add("report", report_command)
_add("export", export_command)
_add("train", train_command)
_add("evaluate", evaluate_command)
_add("downstream", downstream_command)
_add("simulate", simulate_command)
_add("label", label_command)
_add("bench", bench_command)
_add("export", models_export_command, models_app)
app.add_typer(models_app, name="models")
_add("list", list_command)
_add("schema", schema_command)
_add("constraints", constraints_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from sflow_pipeline import __version__

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
        sys.exit(app(standalone_mode=False))
    except SflowError as error:
        _print_error(error.message, error.hint)
        sys.exit(error.exit_code)
    except OSError as error:
        _print_error(
            redact_text(first_line(error)), "restore access and run the same command again; finished work is kept"
        )
        sys.exit(1)
    except _CommandLineError as error:
        possible = getattr(error, "possibilities", None) or ()
        message = error.message if possible else error.format_message()
        if message:  # without one, the help page was printed
            _print_error(message[:1].lower() + message[1:].rstrip("."), _suggest(error, possible))
        sys.exit(error.exit_code)


def _suggest(error: Any, possible: Sequence[str]) -> str:
    see = f"see {error.ctx.command_path if error.ctx else app.info.name} --help"
    near = difflib.get_close_matches(getattr(error, "option_name", ""), possible, n=1)
    return f"did you mean {near[0]}? {see}" if near else see


def _print_error(message: str, hint: str) -> None:
    print_stderr_line("error", message, "bold red")
    if hint:
        print_stderr_line("hint", hint, "bold")
