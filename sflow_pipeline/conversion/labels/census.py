"""Label census: class ids of every label, counted before the first frame is converted."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sflow_pipeline.conversion.labels.count_store import (
    load_counts,
    name_group,
    pack_counts,
    save_counts,
    unpack_counts,
)
from sflow_pipeline.conversion.labels.counts import (
    CountGroups,
    LabelCounts,
    count_in_threads,
    fill_counts,
    list_file_ids,
    read_label,
)
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.source.source_index import SourceFrame, SourceFrames
from sflow_pipeline.errors import FrameError, LabelSpaceError
from sflow_pipeline.label_spaces import (
    UNKNOWN_COLOR_ID,
    UNMAPPED,
    LabelMapping,
    explain_unknown_colors,
)
from sflow_pipeline.storage.filesystem import Folder

_SHOWN_FILES = 3
#: Groups whose counts are kept as Python's objects at once.
_PACKED = 4096
#: From this share of pixels that the model has no class for, people are told.
VOID_WARNING = 0.1


@dataclass(frozen=True)
class LabelCensus:
    """Pixels per class id over all labels that can be read, and the ids that the label space lacks.

    ``unknown_files`` counts the labels that hold such ids, ``unknown_paths`` names the first of them;
    ``unknown_colors`` says what the colours are that no class has, and how they came about where that shows;
    ``void_shares`` has the share of each label's pixels that belongs to no class, NaN where it cannot be read;
    ``inexact`` names columns of pictures in which some file is none that libraries for pictures decode exactly.
    """

    pixels: dict[int, int]
    unknown: dict[int, int]
    unknown_files: int
    unknown_paths: tuple[str, ...]
    unknown_colors: str = ""
    void_shares: NDArray[np.float64] | None = None
    inexact: tuple[str, ...] = ()

    @property
    def unknown_share(self) -> float:
        return sum(self.unknown.values()) / max(1, sum(self.pixels.values()))


def take_census(
    groups: Sequence[SourceFrames],
    settings: ConversionSettings,
    cache: Folder | None,
    *,
    keep: bool = False,
    on_damaged: Callable[[str], None] = lambda _path: None,
    count: CountGroups = count_in_threads,
    on_counted: Callable[[int, int], None] = lambda _done, _total: None,
) -> LabelCensus:
    """Count the ids of every label, and look at the headers of other pictures; what is known is not read again.

    Labels that cannot be decoded are skipped: their frames are quarantined when their turn comes.

    Args:
        groups: all frames of the dump; what is known is known of a whole group.
        settings: label space and encoding.
        cache: the dataset, where counts are kept; None to look for none.
        keep: write the counts there.
        on_damaged: gets the path of the kept counts where they cannot be read.
        count: counts what is not known.
        on_counted: gets the numbers of labels counted and to be counted.
    """
    label_format = settings.label_format
    key = " ".join(filter(None, (label_format.encoding, label_format.space.digest, label_format.rule)))
    known = load_counts(cache, key, on_damaged) if cache is not None else pack_counts([], [])
    pictures = settings.picture_columns
    listed = [str(i) if cache is None else name_group(group, pictures) for i, group in enumerate(groups)]
    names = pa.array(listed, pa.string())
    place: Any = pc.index_in(names, value_set=known["group"])
    rows: NDArray[np.int64] = place.fill_null(-1).to_numpy().astype(np.int64)
    counted = _Counted(known, names, rows)
    wanted = dict(_list_unread(groups, known, rows))
    done, total = 0, sum(map(len, wanted.values()))
    try:
        for number, counts in zip(wanted, count(list(wanted.values()), settings), strict=True):
            counted.add(number, counts)
            done += len(counts.void)
            on_counted(done, total)
    finally:  # also where somebody stops the run here: what was counted is kept
        table = counted.finish()
        if cache is not None and keep and counted.is_new(table):
            save_counts(cache, key, table)
    return _sum_up(groups, table, settings)


class _Counted:
    """Known counts with those that are made now; all are columns, since there may be many groups.

    Args:
        known: of an earlier run.
        names: of all groups.
        rows: of each group in ``known``, -1 for none.
    """

    def __init__(self, known: pa.Table, names: Any, rows: NDArray[np.int64]) -> None:
        self._known, self._names, self._rows = known, names, rows.copy()
        self._parts = [known]
        self._waiting: list[tuple[str, LabelCounts]] = []
        self._count = known.num_rows
        self._has_changes = False

    def add(self, place: int, counts: LabelCounts) -> None:
        """The counts of a group, or of those of its labels that could not be read before."""
        row = int(self._rows[place])
        before = unpack_counts(self._known, row) if row >= 0 else None
        counts = counts if before is None else fill_counts(before, counts)
        self._has_changes |= before is None or not np.array_equal(counts.void, before.void, equal_nan=True)
        self._waiting.append((str(self._names[place]), counts))
        self._rows[place] = self._count
        self._count += 1
        if len(self._waiting) == _PACKED:
            self._pack()

    def finish(self) -> pa.Table:
        """The counts of all groups that are known, in their order."""
        self._pack()
        return pa.concat_tables(self._parts).take(self._rows[self._rows >= 0])

    def is_new(self, table: pa.Table) -> bool:
        """Whether a finished table differs from what is kept."""
        return self._has_changes or not table["group"].equals(self._known["group"])

    def _pack(self) -> None:
        if self._waiting:
            names, counts = zip(*self._waiting, strict=True)
            self._parts.append(pack_counts(names, counts))
            self._waiting = []


def _list_unread(
    groups: Sequence[SourceFrames], known: pa.Table, rows: NDArray[np.int64]
) -> Iterator[tuple[int, Sequence[SourceFrame]]]:
    """Groups to be counted, and of those that are known the frames whose labels could not be read."""
    void: Any = known["void"].combine_chunks()
    unread = np.flatnonzero(np.isnan(void.flatten().to_numpy()))
    partly = set(np.asarray(pc.list_parent_indices(void))[unread].tolist())
    for place, (group, row) in enumerate(zip(groups, rows.tolist(), strict=True)):
        if row < 0:
            yield place, group
        elif row in partly:
            yield place, [group[i] for i in np.flatnonzero(np.isnan(void[row].values.to_numpy())).tolist()]


def _sum_up(groups: Sequence[SourceFrames], table: pa.Table, settings: ConversionSettings) -> LabelCensus:
    columns: dict[str, Any] = {name: table[name].combine_chunks() for name in ("ids", "pixels", "strange", "void")}
    ids, pixels, strange, void = (column.flatten().to_numpy() for column in columns.values())
    totals = np.zeros(int(ids.max(initial=-1)) + 1, np.int64)
    np.add.at(totals, ids, pixels)
    found: dict[int, int] = {class_id: int(totals[class_id]) for class_id in np.unique(ids).tolist()}
    allowed = list_file_ids(settings.source_space)
    unknown = {class_id: count for class_id, count in found.items() if class_id not in allowed}
    of_group = pc.list_parent_indices(columns["strange"]).to_pylist()[:_SHOWN_FILES]
    first = [groups[group][position] for group, position in zip(of_group, strange[:_SHOWN_FILES].tolist(), strict=True)]
    colors = ""
    if UNKNOWN_COLOR_ID in unknown:
        with contextlib.suppress(FrameError, OSError):
            colors = explain_unknown_colors(read_label(first[0], settings)[0], settings.source_space)
    paths = tuple(frame.ref.label for frame in first)
    names: Any = table["inexact"].combine_chunks()
    inexact = tuple(sorted(set(names.flatten().to_pylist())))
    return LabelCensus(found, unknown, len(strange), paths, colors, void, inexact)


def check_census(census: LabelCensus, settings: ConversionSettings) -> str | None:
    """Refuse ids outside the label space, or say so where they are to be ignored.

    Raises:
        LabelSpaceError: names the ids, the first files that hold them and the share of the pixels.
    """
    if not census.unknown:
        return None
    listed = ", ".join("a colour of no class" if i == UNKNOWN_COLOR_ID else str(i) for i in list(census.unknown)[:12])
    files = ", ".join(census.unknown_paths[:_SHOWN_FILES])
    message = (
        f"label ids {listed} are not in label space {settings.source_space.name}: in {census.unknown_files} "
        f"files, first {files}; {census.unknown_share:.2%} of all pixels"
        + (f"; {census.unknown_paths[0]} has {census.unknown_colors}" if census.unknown_colors else "")
    )
    limit = settings.job.max_unknown_fraction
    if settings.job.unknown_ids == "ignore" and census.unknown_share > limit:
        raise LabelSpaceError(
            f"{message}, over max_unknown_fraction {limit:g}",
            hint="name the label space that the labels follow with --label-space, or allow more with "
            "--max-unknown-fraction",
            fields=("max_unknown_fraction",),
        )
    if settings.job.unknown_ids == "ignore":
        return f"{message}; the model sees them as void, label files keep them"
    raise LabelSpaceError(
        message,
        hint="name the label space that the labels follow with --label-space, or take such ids as void with "
        "--unknown-ids ignore",
    )


def check_void(census: LabelCensus, settings: ConversionSettings) -> str | None:
    """Refuse labels that are of classes that the model lacks, or say so from a tenth of the pixels up.

    Raises:
        LabelSpaceError: they have more than ``max_void_fraction`` of the pixels.
    """
    shares = measure_void(census.pixels, settings.mapping, settings.label_format.replaced_ids)
    share, limit = sum(shares.values()), settings.job.max_void_fraction
    if share <= min(limit, VOID_WARNING):
        return None
    listed = ", ".join(f"{name} {part:.1%}" for name, part in list(shares.items())[:_SHOWN_FILES])
    message = f"the model has no class for {share:.1%} of the pixels ({listed}) and paints them as void"
    if share > limit:
        raise LabelSpaceError(
            f"{message}, over max_void_fraction {limit:g}",
            hint="convert with a bundle that has these classes, or allow more with --max-void-fraction",
            fields=("max_void_fraction",),
        )
    return message


def measure_void(
    pixels: Mapping[int, int], mapping: LabelMapping, replaced: frozenset[int] = frozenset()
) -> dict[str, float]:
    """Source class -> its share of all pixels, for those that become the target's void; largest first.

    Args:
        pixels: class id -> pixels; ids that the source lacks count as ``unknown``.
        mapping: from the labels to the model.
        replaced: ids that the label rule replaces by those of classes.
    """
    names = {item.id: item.name for item in mapping.source.classes}
    total = max(1, sum(pixels.values()))
    void = (mapping.target.void_channel, UNMAPPED)
    shares: Counter[str] = Counter()
    for class_id, count in pixels.items():
        if int(mapping.table[class_id]) in void and class_id not in replaced:
            shares[names.get(class_id, "unknown")] += count
    return {name: count / total for name, count in shares.most_common()}
