"""Runs the steps of a job file one after the other; the first that fails ends the job."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import typer

from sflow_pipeline.cli.bar import Bar
from sflow_pipeline.cli.exit_codes import CLEAN, QUARANTINED, WORK_TO_DO
from sflow_pipeline.config.steps import Chain, ExportStep, SimulateStep, Step, VerifyStep
from sflow_pipeline.errors import SflowError, UsageError

#: Exit codes after which the next step runs.
_GOES_ON = (CLEAN, QUARANTINED, WORK_TO_DO)


def run_steps(chain: Chain, *, dry_run: bool, quiet: bool, as_json: bool) -> int:
    """Run a job's steps; the exit code of the whole.

    It is that of the step that failed, else 3 after quarantined frames, or 10 where a dry run found work.

    Args:
        chain: the job.
        dry_run: plan conversions, run nothing else.
        quiet: print warnings and errors alone.
        as_json: print one JSON document with that of every step.

    Raises:
        SflowError: a step cannot start.
    """
    documents: list[dict[str, Any]] = []
    exit_code, out_dir = CLEAN, ""
    for number, step in enumerate(chain.steps, start=1):
        title = f"step {number} of {len(chain.steps)}: {_describe(step)}"
        Bar("steps", quiet=quiet or as_json).print(title)
        if step.convert is not None:
            out_dir = step.convert.out_dir
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed) if as_json else contextlib.nullcontext():
            code = _run_step(step, out_dir, number > 1, dry_run=dry_run, quiet=quiet, as_json=as_json)
        if as_json:
            documents.append({"step": step.kind, "exit_code": code, "result": _parse(printed.getvalue())})
        exit_code = exit_code if code == CLEAN else code
        if code not in _GOES_ON:
            break
    if as_json:
        typer.echo(json.dumps({"exit_code": exit_code, "steps": documents}, indent=2))
    return exit_code


def _run_step(step: Step, out_dir: str, is_later: bool, *, dry_run: bool, quiet: bool, as_json: bool) -> int:
    if step.convert is not None:
        from sflow_pipeline.cli.run_in_terminal import run_in_terminal

        if dry_run and is_later and "://" not in step.convert.sim_dir and not Path(step.convert.sim_dir).exists():
            if not (quiet or as_json):
                typer.echo(f"{step.convert.sim_dir} does not exist yet: an earlier step makes it")
            return WORK_TO_DO
        return _call(run_in_terminal, step.convert, dry_run=dry_run, quiet=quiet, as_json=as_json)
    if dry_run:
        return CLEAN
    if step.simulate is not None:
        return _simulate(step.simulate, quiet=quiet, as_json=as_json)
    if step.verify is not None:
        return _verify(step.verify, out_dir, quiet=quiet, as_json=as_json)
    if step.export is not None:
        return _export(step.export, out_dir, quiet=quiet, as_json=as_json)
    return _run_command(step.arguments)


def _simulate(step: SimulateStep, *, quiet: bool, as_json: bool) -> int:
    from sflow_pipeline.cli.simulate import LookName, simulate_command

    fields = {**step.model_dump(), "look": LookName(step.look)}
    return _call_quietly(simulate_command, quiet=quiet and not as_json, as_json=as_json, **fields)


def _verify(step: VerifyStep, out_dir: str, *, quiet: bool, as_json: bool) -> int:
    from sflow_pipeline.cli.verify import verify_command

    place = step.out_dir or out_dir
    return _call_quietly(verify_command, place, quiet=quiet and not as_json, source=step.source, as_json=as_json)


def _export(step: ExportStep, out_dir: str, *, quiet: bool, as_json: bool) -> int:
    from sflow_pipeline.cli.export import export_command

    split_by = tuple(step.split_by.split()) if step.split_by else None
    fields = {**step.model_dump(), "out_dir": step.out_dir or out_dir, "split_by": split_by}
    return _call_quietly(export_command, quiet=quiet and not as_json, as_json=as_json, **fields)


def _run_command(arguments: list[str]) -> int:
    """Run a program; its output goes to stderr, so that stdout has the results alone."""
    from sflow_pipeline.conversion.engines.interruption import raise_on_sigterm

    try:
        with raise_on_sigterm():
            code = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode  # noqa: S603  the user's own file
    except OSError as error:
        raise UsageError(
            f"command {arguments[0]}: cannot be run: {error.strerror}", hint="check its name and that it is executable"
        ) from error
    if code:
        raise SflowError(
            f"command {' '.join(arguments)}: ended with exit code {code}",
            hint="see its output above; run the job again when it is repaired, finished work is kept",
        )
    return CLEAN


def _call(function: Any, *arguments: Any, **options: Any) -> int:
    """Call what a command calls; the exit code that it ends with."""
    try:
        function(*arguments, **options)
    except typer.Exit as end:
        return int(end.exit_code)
    return CLEAN


def _call_quietly(function: Any, *arguments: Any, quiet: bool, **options: Any) -> int:
    with contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext():
        return _call(function, *arguments, **options)


def _describe(step: Step) -> str:
    if step.convert is not None:
        return f"convert {step.convert.sim_dir} {step.convert.out_dir}"
    if step.simulate is not None:
        return f"simulate {step.simulate.out}"
    if step.export is not None:
        return f"export {step.export.to} {step.export.dest}"
    return step.kind if step.command is None else f"command {' '.join(step.arguments)}"


def _parse(text: str) -> Any:
    return json.loads(text) if text.strip() else None
