"""What an export format is: one module with these names."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sflow_pipeline.dataset.contents import Contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.errors import UsageError
from sflow_pipeline.export.destination import Destination


@dataclass(frozen=True)
class ExportTask:
    """What an exporter is given.

    Attributes:
        rows: in the order of split, sequence, frame, variant.
        contents: the dataset.
        dest: where to write.
        fps: frames per second, for formats that need it.
    """

    rows: Iterator[Row]
    contents: Contents
    dest: Destination
    fps: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What an exporter says it did.

    Attributes:
        rows: rows that are in the export.
        labels: one line on what became of the labels.
        notes: what the person should know.
    """

    rows: int
    labels: str
    notes: tuple[str, ...] = ()


class Exporter(Protocol):
    """A module of this package."""

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
