"""Conversion job with its report, for the command line and ``sflow_pipeline.convert``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack, overload

from sflow_pipeline.addresses import redact_address, redact_text
from sflow_pipeline.config.convert_options import ConvertOptions
from sflow_pipeline.config.job import ConvertJob, build_job
from sflow_pipeline.conversion.convert import convert as convert_dump
from sflow_pipeline.conversion.status.notification import notify
from sflow_pipeline.conversion.status.progress import Progress, SilentProgress, TqdmProgress
from sflow_pipeline.conversion.summary import Summary
from sflow_pipeline.errors import UsageError
from sflow_pipeline.report.contact_sheet import write_contact_sheet
from sflow_pipeline.report.dataset_page import write_report_page
from sflow_pipeline.report.sequence_videos import remove_outdated_videos, write_sequence_videos
from sflow_pipeline.report.throughput import Run, note_run
from sflow_pipeline.storage.video_writer import import_av


@dataclass(frozen=True)
class RunResult:
    """Summary of a run, and paths: contact sheet (None without rows), report (None where shards failed), videos."""

    summary: Summary
    contact_sheet: str | None = None
    report: str | None = None
    videos: tuple[str, ...] = ()


def run_job(job: ConvertJob, progress: Progress) -> RunResult:
    """Convert, then draw the contact sheet and write the report.

    Raises:
        MissingExtraError: the job wants videos, and PyAV is not installed.
        SflowError: the job cannot start or go on; finished shards are kept.
    """
    try:
        result = _convert_and_report(job, progress)
    except BaseException as error:
        state = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
        _notify(job, progress, state, str(error) or type(error).__name__, {})
        raise
    summary = result.summary
    message = f"{summary.rows} rows of {summary.frames} frames, {summary.quarantined} quarantined: {summary.status}"
    _notify(job, progress, "failed" if summary.failed_shards else "finished", message, summary.to_dict())
    return result


def _convert_and_report(job: ConvertJob, progress: Progress) -> RunResult:
    if job.video:
        import_av("--video")
    results: list[RunResult] = []
    # Another run that began between the dataset and its report would be drawn half-finished.
    convert_dump(job, progress=progress, on_finished=lambda summary: results.append(_report(job, summary, progress)))
    return results[0]


def _report(job: ConvertJob, summary: Summary, progress: Progress) -> RunResult:
    if summary.failed_shards:
        return RunResult(summary)
    progress.on_step("drawing the report")
    if summary.frames_converted:
        run = Run(
            summary.frames_converted,
            summary.shards_converted,
            round(summary.duration_s, 2),
            summary.workers,
            summary.device,
            summary.precision,
        )
        note_run(job.out_dir, run)
    sheet = write_contact_sheet(job.out_dir)
    videos: tuple[str, ...] = ()
    if job.video:
        progress.on_step("writing the videos")
        videos = write_sequence_videos(job.out_dir)
    else:
        removed = remove_outdated_videos(job.out_dir)
        if removed:
            progress.on_warning(f"{removed} videos of other images than these were removed: --video makes them again")
    return RunResult(summary, sheet, write_report_page(job.out_dir), videos)


def _notify(job: ConvertJob, progress: Progress, state: str, message: str, facts: dict[str, Any]) -> None:
    """Run the job's command for the end of a run, if it has one."""
    if job.notify is not None:
        place = redact_address(job.out_dir)
        problem = notify(job.notify, {**facts, "state": state, "out_dir": place, "message": redact_text(message)})
        if problem:
            progress.on_warning(problem)


@overload
def convert(sim_dir: ConvertJob, *, show_progress: bool = True) -> Summary: ...


@overload
def convert(
    sim_dir: str | Path, out_dir: str | Path, *, show_progress: bool = True, **options: Unpack[ConvertOptions]
) -> Summary: ...


def convert(
    sim_dir: str | Path | ConvertJob,
    out_dir: str | Path | None = None,
    *,
    show_progress: bool = True,
    **options: Unpack[ConvertOptions],
) -> Summary:
    """Convert a simulator dump from Python.

    Args:
        sim_dir: folder or object-store URI that the simulator wrote, or a whole ``ConvertJob`` as the only argument.
        out_dir: folder of the dataset; an interrupted or older dataset there is brought up to date.
        show_progress: draw a tqdm bar.
        options: fields of ``sflow_pipeline.ConvertJob``, such as ``variants=3``.

    Raises:
        UsageError: there is no ``out_dir``, or a ``ConvertJob`` and further arguments.
        ConfigError: an option does not exist or its value is invalid.
        SflowError: the job cannot start or go on; finished shards are kept.
    """
    progress = TqdmProgress() if show_progress else SilentProgress()
    if isinstance(sim_dir, ConvertJob):
        if out_dir is not None or options:
            raise UsageError(
                "convert: a ConvertJob has its folders and options, and further arguments were given",
                hint="call convert(job), or change the job: job.model_copy(update={...})",
            )
        return run_job(sim_dir, progress).summary
    if out_dir is None:
        raise UsageError("convert: no out_dir", hint="call convert(sim_dir, out_dir, ...) or convert(job)")
    fields = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    job = build_job({"sim_dir": str(sim_dir), "out_dir": str(out_dir), **fields})
    return run_job(job, progress).summary
