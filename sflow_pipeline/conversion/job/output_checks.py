"""Checks of a job's output: its place beside the dump, and the names of its files."""

from pathlib import Path

from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.errors import UsageError
from sflow_pipeline.frames import Column
from sflow_pipeline.storage.png_tree import find_shared_name


def check_places(job: ConvertJob) -> None:
    """Refuse an output folder that is the dump's, or inside or around it.

    Raises:
        UsageError: it is.
    """
    if "://" in job.sim_dir or "://" in job.out_dir:
        return
    source, out = Path(job.sim_dir).resolve(), Path(job.out_dir).resolve()
    if source == out or source in out.parents or out in source.parents:
        raise UsageError(
            f"out_dir {job.out_dir}: is {'the same as' if source == out else 'inside or around'} sim_dir {job.sim_dir}",
            hint="write the dataset beside the dump",
            fields=("out_dir", "sim_dir"),
        )


def check_file_names(job: ConvertJob, sample_ids: Column) -> None:
    """Refuse a tree of files in which a variant of one frame would take the place of another frame.

    Args:
        job: its format and number of variants.
        sample_ids: of all frames.

    Raises:
        UsageError: it would; names both frames.
    """
    is_tree = job.format == "png" and job.variants > 1
    shared = find_shared_name({str(name) for name in sample_ids}, job.variants) if is_tree else None
    if shared is not None:
        raise UsageError(
            f"format png: frame {shared[0]} and a variant of frame {shared[1]} would be files of one name",
            hint="rename the frame, or convert with --format parquet",
            fields=("format",),
        )
