"""Checks of a job's output: its place beside the dump, and the names of its files."""

from pathlib import Path, PurePath, PurePosixPath

from sflow_pipeline.addresses import find_local, redact_address, strip_secrets
from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.errors import UsageError
from sflow_pipeline.frames import Column
from sflow_pipeline.storage.png_tree import find_shared_name


def check_places(job: ConvertJob) -> None:
    """Refuse an output folder that is the dump's, or inside or around it.

    Raises:
        UsageError: it is.
    """
    source, out = _find_place(job.sim_dir), _find_place(job.out_dir)
    if source == out or source in out.parents or out in source.parents:
        raise UsageError(
            f"out_dir {redact_address(job.out_dir)}: is {'the same as' if source == out else 'inside or around'} "
            f"sim_dir {redact_address(job.sim_dir)}",
            hint="write the dataset beside the dump",
            fields=("out_dir", "sim_dir"),
        )


def _find_place(address: str) -> PurePath:
    """A place that can be compared with others: of object stores the query, which tells servers apart, comes first."""
    plain = find_local(address)
    if "://" not in plain:
        return Path(plain).expanduser().resolve()
    place, _, query = strip_secrets(plain).partition("?")
    return PurePosixPath(query or ".", place)


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
