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
        min_side_px: boxes with a shorter side are left out of yolo and yolo-seg.
        min_fill: objects that fill less of their box, as those behind others do, are left out of yolo and yolo-seg.
    """

    rows: Iterator[Row]
    contents: Contents
    dest: Destination
    fps: float | None = None
    allow_empty: bool = False
    min_side_px: int = 3
    min_fill: float = 0.05


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


class FlatNames:
    """Names of rows without folders or dots, for formats that key files by them; no two rows of a split share one.

    >>> from types import SimpleNamespace
    >>> names = FlatNames()
    >>> row = SimpleNamespace(split="train", sequence_id="town 1/a", frame_name="0007.left", variant=2)
    >>> names.name(row), names.name(SimpleNamespace(**{**vars(row), "frame_name": "0007_left"}))
    ('town 1__a__0007_left_v2', 'town 1__a__0007_left_v2-2')
    """

    def __init__(self) -> None:
        self._taken: set[tuple[str, str]] = set()

    def name(self, row: Row) -> str:
        """The name of a row; asked for once for each row."""
        base = f"{row.sequence_id}/{row.frame_name}".replace("/", "__").replace(".", "_")
        base += f"_v{row.variant}" if row.variant else ""
        name, count = base, 2
        while (row.split, name.casefold()) in self._taken:  # some file systems do not tell A from a
            name, count = f"{base}-{count}", count + 1
        self._taken.add((row.split, name.casefold()))
        return name


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
