"""Label columns of bytes: the choice that is open until every label file has been looked at."""

from dataclasses import replace
from typing import cast

from sflow_pipeline.conversion.job.resolve_job import ResolvedJob
from sflow_pipeline.conversion.settings import compute_fingerprint
from sflow_pipeline.conversion.source.source_index import SourceFrames


def keep_labels_raw(resolved: ResolvedJob) -> ResolvedJob:
    """The same job with a label column of bytes, for dumps in which some label is not exact as a picture.

    It is what the job resolves to where ``list_raw_columns`` meets such a label.
    """
    if "label" in resolved.settings.raw_columns:
        return resolved
    settings = resolved.settings.with_raw_labels()
    tasks = [
        replace(
            task,
            fingerprint=compute_fingerprint(
                settings, cast(SourceFrames, task.frames), task.samples.values(), task.neighbours
            ),
        )
        for task in resolved.tasks
    ]
    return replace(resolved, settings=settings, tasks=tasks)
