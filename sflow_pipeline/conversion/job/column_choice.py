"""Choice of columns: what a dataset has beside images and labels, and which of it picture libraries decode."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import pyarrow.compute as pc

from sflow_pipeline.columns import BY_NAME, OPTIONAL_COLUMNS, PICTURE_SUFFIXES
from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.resize import is_resizable
from sflow_pipeline.errors import FrameError, UsageError
from sflow_pipeline.frames import FrameRef, get_column, iterate_column, iterate_sequences
from sflow_pipeline.simulators import Dump
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_header import read_header


def choose_columns(
    job: ConvertJob, dump: Dump, frames: Sequence[FrameRef], is_resized: bool
) -> tuple[tuple[str, ...], list[str]]:
    """The optional columns of a dataset, and warnings about those that are left out.

    Raises:
        UsageError: the job includes a column that the dump does not have.
    """
    offered = [name for name in OPTIONAL_COLUMNS if name == "edge" or name in dump.modalities]
    missing = [name for name in job.include or () if name not in offered]
    if missing:
        raise UsageError(
            f"include {', '.join(missing)}: the dump has no such files",
            hint=f"it has {', '.join(offered)}",
            fields=("include",),
        )
    # A label cannot be read without its table, so the table is always included.
    columns = [name for name in offered if job.include is None or name in (*job.include, "label_table")]
    warnings = []
    if is_resized:
        fixed = [
            name
            for name in columns
            if BY_NAME[name].carried and BY_NAME[name].holds == "plane" and not _all_resizable(name, frames)
        ]
        columns = [name for name in columns if name not in fixed]
        if fixed:
            warnings.append(
                f"column {', '.join(fixed)} left out: such files cannot be resized; convert without --size to keep it"
            )
        if {"boxes", "camera"} & set(columns):
            warnings.append("boxes and camera are carried unchanged, in pixels of the source's size")
    return tuple(columns), warnings


def _all_resizable(modality: str, frames: Sequence[FrameRef]) -> bool:
    return all(is_resizable(modality, path) for path in iterate_column(frames, modality) if path)


def list_raw_columns(frames: Sequence[FrameRef], columns: Sequence[str], source: Folder) -> tuple[str, ...]:
    """Columns that picture libraries do not decode to the files' own numbers; one file of each sequence is read.

    All files are looked at when labels are counted, see ``add_raw_columns``.
    """
    planes = [name for name in ("label", *columns) if name != "edge" and BY_NAME[name].holds in ("plane", "file")]
    return tuple(name for name in planes if not _are_exact_pictures(name, frames, source))


def _are_exact_pictures(column: str, frames: Sequence[FrameRef], source: Folder) -> bool:
    lowered: Any = pc.utf8_lower(get_column(frames, column))
    is_picture: Any = reduce(pc.or_, (pc.ends_with(lowered, suffix) for suffix in PICTURE_SUFFIXES))
    if not pc.all(is_picture, min_count=0).as_py():
        return False
    looked_at = set()
    for sequence_id, paths in iterate_sequences(frames, column):
        if sequence_id in looked_at:
            continue
        for path in filter(None, paths):
            try:
                is_exact = read_header(source.read_bytes(path)).is_exact_as_picture
            except (FrameError, OSError):
                continue
            if not is_exact:
                return False
            looked_at.add(sequence_id)
            break
    return True
