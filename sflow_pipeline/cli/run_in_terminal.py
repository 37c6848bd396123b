"""Runs a job for ``convert`` and ``run``: display, summary, exit code."""

import json
from typing import TYPE_CHECKING

import typer

from sflow_pipeline.addresses import join_address, quote_address
from sflow_pipeline.cli.bar import format_duration
from sflow_pipeline.cli.exit_codes import CLEAN, WORK_TO_DO, exit_code_of
from sflow_pipeline.cli.plan_text import list_plan, plan_to_dict
from sflow_pipeline.config.job import ConvertJob

if TYPE_CHECKING:
    from sflow_pipeline.run import RunResult


def run_in_terminal(job: ConvertJob, *, dry_run: bool, quiet: bool, as_json: bool) -> None:
    """Convert, or print the plan; ends with the command's exit code."""
    from sflow_pipeline.cli.conversion_display import ConversionDisplay
    from sflow_pipeline.conversion.convert import plan_conversion
    from sflow_pipeline.conversion.plan.losses import check_losses
    from sflow_pipeline.run import run_job
    from sflow_pipeline.storage.filesystem import Folder

    if dry_run:
        with ConversionDisplay(quiet=quiet or as_json) as display:
            plan = plan_conversion(job, display)
        if as_json or not quiet:
            typer.echo(json.dumps(plan_to_dict(plan), indent=2) if as_json else list_plan(plan))
        if not job.replace:
            check_losses(Folder(job.out_dir), plan.losses, plan.rows_before)
        raise typer.Exit(CLEAN if plan.is_up_to_date else WORK_TO_DO)
    with ConversionDisplay(quiet=quiet or as_json) as display:
        result = run_job(job, display)
    exit_code = exit_code_of(result.summary)
    if as_json:
        paths = {"contact_sheet": result.contact_sheet, "report": result.report, "videos": list(result.videos)}
        facts = {**result.summary.to_dict(), "exit_code": exit_code, **paths}
        typer.echo(json.dumps(facts, indent=2, default=str))
    elif not quiet:
        _print_summary(result)
    raise typer.Exit(exit_code)


def _print_summary(result: "RunResult") -> None:
    from rich.console import Console
    from rich.markup import escape

    summary = result.summary
    console = Console(highlight=False, soft_wrap=True)
    done = f"{summary.frames_converted} frames converted in {format_duration(summary.duration_s)}"
    rate = f" ({summary.frames_converted / summary.duration_s:.1f} frames/s)" if summary.frames_converted else ""
    console.print(f"[bold]{escape(summary.out_dir)}[/]: {summary.rows} rows of {summary.frames} frames; {done}{rate}")
    shards = f"{summary.shards_converted} converted, {summary.shards_kept} unchanged, {summary.shards_removed} removed"
    console.print(f"shards: {shards}")
    if summary.edge_f1_mean is not None:
        console.print(f"edges: F1 {summary.edge_f1_mean:.3f} between requested and generated edges")
    labels = "resized by nearest neighbour" if summary.label_is_resized else summary.label_files
    console.print(f"labels: {labels}", markup=False)
    for shard in summary.failed_shards:
        console.print(f"failed: shard {escape(shard)}; run the same command again to retry it", style="red")
    if summary.quarantined or summary.left_out:
        reasons = ", ".join(f"{reason} {count}" for reason, count in summary.reasons.items())
        what = f"{summary.quarantined} frames" + (f" and {summary.left_out} files" if summary.left_out else "")
        console.print(f"quarantined: {what} ({escape(reasons)})", style="yellow")
        for example in summary.examples[:3]:
            console.print(f"  {example.message}", markup=False)
        console.print(f"reasons: {join_address(summary.out_dir, 'quarantine/reasons.txt')}", markup=False)
    if summary.rejected:
        console.print(f"rejected by the gate: {summary.rejected} images", style="yellow")
    if result.report:
        sheet = f", contact sheet: {result.contact_sheet}" if result.contact_sheet else ""
        console.print(f"report: {result.report}{sheet}", markup=False)
    console.print(f"next: sflow-pipeline verify {quote_address(summary.out_dir)}", markup=False)
