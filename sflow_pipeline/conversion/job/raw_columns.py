"""Raw columns that show when every file has been looked at: they hold bytes, which `datasets` does not decode."""

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from sflow_pipeline.conversion.job.resolve_job import ResolvedJob
from sflow_pipeline.conversion.settings import compute_fingerprint
from sflow_pipeline.conversion.source.source_index import SourceFrames


def add_raw_columns(resolved: ResolvedJob, names: Iterable[str]) -> ResolvedJob:
    """The same job with further columns of bytes: what it resolves to where ``list_raw_columns`` meets such files.

    Args:
        resolved: the job, before anything has changed its shards' fingerprints.
        names: columns in which some file is not exact as a picture.
    """
    settings = resolved.settings.with_raw_columns(names)
    if settings == resolved.settings:
        return resolved
    tasks = []
    for task in resolved.tasks:
        frames = cast(SourceFrames, task.frames)
        fingerprint = compute_fingerprint(settings, frames, task.samples.values(), task.neighbours)
        tasks.append(replace(task, fingerprint=fingerprint))
    return replace(resolved, settings=settings, tasks=tasks)
