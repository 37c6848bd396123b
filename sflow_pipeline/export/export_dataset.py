"""``export_dataset``: writes a finished dataset in the layout of another tool."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sflow_pipeline.config.new_splits import parse_new_splits
from sflow_pipeline.dataset.contents import load_contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.errors import UsageError
from sflow_pipeline.export import formats
from sflow_pipeline.export.destination import TOOL, open_destination
from sflow_pipeline.export.exporter import Exporter, ExportTask
from sflow_pipeline.export.formats import FORMATS
from sflow_pipeline.export.rows_by_split import read_rows_by_split
from sflow_pipeline.label_spaces import describe_label_space
from sflow_pipeline.nearest_name import suggest_name
from sflow_pipeline.storage.video_writer import MIN_FPS


@dataclass(frozen=True)
class ExportSummary:
    """Summary of an export.

    Attributes:
        dest: where it is.
        to: its format.
        layout: of the format, in a line.
        rows, files, size_bytes: in it.
        objects: countable objects in it, None for formats without objects.
        labels: one line on how labels were exported.
        notes: warnings for the user.
    """

    dest: str
    to: str
    layout: str
    rows: int
    files: int
    size_bytes: int
    objects: int | None
    labels: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def export_dataset(
    out_dir: str | Path,
    dest: str | Path,
    to: str,
    *,
    splits: Sequence[str] | None = None,
    variants: Collection[int] | None = None,
    fps: float | None = None,
    allow_empty: bool = False,
    split_by: tuple[str, str] | None = None,
    min_side_px: int = 3,
    min_fill: float = 0.05,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ExportSummary:
    """Write a finished dataset in another layout; ``dest`` is written atomically.

    Args:
        out_dir: the dataset.
        dest: a local folder: new, empty, or an earlier export, which is replaced.
        to: a name of ``FORMATS``.
        splits, variants: which rows; all where None.
        fps: frames per second of videos; the dump's where None.
        allow_empty: write formats of objects although the rows hold none.
        split_by: new splits instead of the dataset's: what stays whole, ``sequence``, ``block`` (50 frames) or
            ``frame``, and the shares of train, val and test, such as ``("sequence", "0.8/0.1/0.1")``.
        min_side_px: yolo and yolo-seg leave out objects whose box has a shorter side.
        min_fill: yolo and yolo-seg leave out objects that fill a smaller share of their box, 0 to 1.
        on_progress: called with the rows done and their number, which is an estimate if variants are selected.

    Raises:
        UsageError: no such format, split or variant, or the dataset lacks what the format needs.
        OutputError: there is no finished dataset, or ``dest`` cannot be written or holds something else.
        FrameError: a file of a row is damaged.
        MissingExtraError: the format needs an extra that is not installed.
    """
    out_dir, dest = str(out_dir), str(dest)
    if to not in FORMATS:
        known = f"expected one of {', '.join(FORMATS)}"
        raise UsageError(f"--to {to}: no such format, {known}", hint=suggest_name(to, FORMATS))
    if fps is not None and not MIN_FPS <= fps < math.inf:
        raise UsageError(f"--fps {fps:g}: must be {MIN_FPS} or more", hint="leave it out to take the dump's")
    if min_side_px < 1:
        raise UsageError(f"--min-side {min_side_px}: must be 1 px or more", hint="1 keeps every box")
    if not 0 <= min_fill <= 1:
        raise UsageError(f"--min-fill {min_fill:g}: must be a share from 0 to 1", hint="0 keeps every object")
    new_splits = None if split_by is None else parse_new_splits(*split_by)
    contents = load_contents(out_dir)
    shards = contents.select_shards(splits)
    contents.check_variants(variants, name="--variant")
    share = 1.0 if variants is None else len(set(variants)) / contents.variants
    total = round(sum(shard.rows for shard in shards) * share)
    if new_splits is None:
        rows = contents.read_rows(splits, variants)
    else:
        rows = read_rows_by_split(contents, new_splits, splits, variants)
    marker = {
        "tool": TOOL,
        "to": to,
        "label_space": describe_label_space(contents.label_space),
        "splits": None if splits is None else list(splits),
        "variants": None if variants is None else sorted(set(variants)),
        "split_by": None if split_by is None else list(split_by),
    }
    exporter: Exporter = import_module(f"{formats.__name__}.{to.replace('-', '_')}")
    with open_destination(dest, out_dir, marker) as destination:
        watched = _watch(rows, total, on_progress)
        outcome = exporter.export(ExportTask(watched, contents, destination, fps, allow_empty, min_side_px, min_fill))
    return ExportSummary(
        dest,
        to,
        exporter.LAYOUT,
        outcome.rows,
        destination.file_count,
        destination.size_bytes,
        outcome.objects,
        outcome.labels,
        outcome.notes,
    )


def _watch(rows: Iterator[Row], total: int, on_progress: Callable[[int, int], None]) -> Iterator[Row]:
    for done, row in enumerate(rows, start=1):
        yield row
        on_progress(done, total)
