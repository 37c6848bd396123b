"""``sflow-pipeline verify``: checks a dataset against its manifest and its source."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sflow_pipeline.cli.bar import LINE_EVERY_S, Bar
from sflow_pipeline.cli.exit_codes import CLEAN, FAILED
from sflow_pipeline.cli.stderr_line import print_stderr_line
from sflow_pipeline.errors import SflowError

_SHOWN = 20


def verify_command(
    out_dir: Annotated[str, typer.Argument(help="The dataset's folder.", metavar="OUT_DIR")],
    source: Annotated[
        str | None, typer.Option("--source", help="Folder of the dump, if it was moved.", metavar="SIM_DIR")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check every shard's digest, every image, every label against its source, class tables and counts.

    The result is also on the report page, which is written again. Exit code 1 if there are problems, else 0.

    Examples:

      sflow-pipeline verify OUT_DIR
      sflow-pipeline verify OUT_DIR --source MOVED_SIM_DIR --json
    """
    from sflow_pipeline.conversion.verify import verify

    with Bar("rows", quiet=as_json, is_transient=True, line_every_s=LINE_EVERY_S) as bar:
        found = verify(
            out_dir, source=source, on_progress=lambda done, total: bar.show(done, total, description="verifying")
        )
    _write_report(out_dir, found.to_dict())
    exit_code = FAILED if found.problems else CLEAN
    if as_json:
        typer.echo(json.dumps({**found.to_dict(), "exit_code": exit_code}, indent=2))
        raise typer.Exit(exit_code)
    typer.echo(
        f"{found.out_dir}: {found.rows} rows in {found.shards} shards, "
        f"{found.labels_compared} labels compared with their source"
    )
    if found.sources_missing:
        typer.echo(f"{found.sources_missing} rows: the source is missing; name its folder with --source")
    if found.sources_changed:
        typer.echo(
            f"{found.sources_changed} rows: the source has changed; run convert again with --content-hash to update "
            "them (without it files of the same size and time count as unchanged)"
        )
    for problem in found.problems[:_SHOWN]:
        print_stderr_line("problem", problem, "red")
    if len(found.problems) > _SHOWN:
        print_stderr_line("problem", f"and {len(found.problems) - _SHOWN} more", "red")
    typer.echo(
        "sound"
        if not found.problems
        else f"{len(found.problems)} problems; run the same convert command again, with --no-resume if they stay"
    )
    raise typer.Exit(exit_code)


def _write_report(out_dir: str, found: Mapping[str, Any]) -> None:
    """Write the report page with the result; a folder that cannot be written to is checked all the same."""
    from sflow_pipeline.report.dataset_page import write_report_page
    from sflow_pipeline.report.verification_note import write_verification

    try:
        write_verification(out_dir, found)
        write_report_page(out_dir)
    except SflowError as error:
        print_stderr_line("note", f"the report was not written: {error.message}", "yellow")
