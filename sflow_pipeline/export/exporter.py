"""The interface of an export format: the names that every module of ``formats/`` defines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sflow_pipeline.dataset.contents import Contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.errors import UsageError
from sflow_pipeline.export.destination import Destination
from sflow_pipeline.label_spaces import INSTANCE_ENCODINGS


@dataclass(frozen=True)
class ExportTask:
    """Input of an exporter.

    Attributes:
        rows: in the order of split, sequence, frame, variant.
        contents: the dataset.
        dest: where to write.
        fps: frames per second, for formats that need it.
        allow_empty: formats of objects may be written although there is no object in any row.
    """

    rows: Iterator[Row]
    contents: Contents
    dest: Destination
    fps: float | None = None
    allow_empty: bool = False


@dataclass(frozen=True)
class Outcome:
    """Result of an exporter.

    Attributes:
        rows: rows that are in the export.
        objects: countable objects in them, None for formats without objects.
        labels: one line on how labels were exported.
        notes: warnings for the user.
    """

    rows: int
    labels: str
    notes: tuple[str, ...] = ()
    objects: int | None = None


class Exporter(Protocol):
    """A module of ``formats/``."""

    NAME: str
    LAYOUT: str

    def export(self, task: ExportTask) -> Outcome:
        """Write everything.

        Raises:
            UsageError: the dataset lacks what the format needs.
            FrameError: a file of a row is damaged.
        """


def build_flat_name(row: Row) -> str:
    """A row's name without folders or dots, for formats that key files by it.

    >>> from types import SimpleNamespace
    >>> build_flat_name(SimpleNamespace(sequence_id="town 1/a", frame_name="0007.left", variant=2))
    'town 1__a__0007_left_v2'
    """
    name = f"{row.sequence_id}/{row.frame_name}".replace("/", "__").replace(".", "_")
    return f"{name}_v{row.variant}" if row.variant else name


def require_column(contents: Contents, column: str, format_name: str) -> None:
    """Refuse a dataset without a column that the format is made of.

    Raises:
        UsageError: it lacks it.
    """
    if column not in contents.columns:
        raise UsageError(
            f"--to {format_name}: {contents.folder.uri} has no {column} column",
            hint=f"convert again from a dump with {column} files, and with {column} in --include if you use it",
        )


def check_objects(task: ExportTask, objects: int, format_name: str, class_names: Sequence[str]) -> None:
    """Refuse an export of objects in which there is none, unless the task allows that.

    Raises:
        UsageError: there is none.
    """
    if objects or task.allow_empty:
        return
    encoding = task.contents.label_format.instances
    raise UsageError(
        f"--to {format_name}: no object of a countable class in any row: instance files were read as {encoding} "
        f"({INSTANCE_ENCODINGS[encoding]}); countable are {', '.join(class_names) or 'no classes'}",
        hint="if they hold something else, convert again with --instance-encoding (or instance_encoding in "
        "dataset.yaml); --allow-empty exports the pictures without objects",
    )
