"""Label census: class ids of every label, counted before the first frame is converted."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.label_count_store import load_counts, name_group, save_counts
from sflow_pipeline.conversion.label_counts import (
    CountGroups,
    LabelCounts,
    count_in_threads,
    fill_counts,
    list_file_ids,
    read_label,
)
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.source_index import SourceFrame, SourceFrames
from sflow_pipeline.errors import FrameError, LabelSpaceError
from sflow_pipeline.label_spaces import (
    UNKNOWN_COLOR_ID,
    UNMAPPED,
    LabelMapping,
    explain_unknown_colors,
)
from sflow_pipeline.storage.filesystem import Folder

_SHOWN_FILES = 3
#: From this share of pixels that the model has no class for, people are told.
VOID_WARNING = 0.1


@dataclass(frozen=True)
class LabelCensus:
    """Pixels per class id over all labels that can be read, and the ids that the label space lacks.

    ``unknown_files`` counts the labels that hold such ids, ``unknown_paths`` names the first of them;
    ``unknown_colors`` says what the colours are that no class has, and how they came about where that shows;
    ``void_shares`` has for each group of frames the share of each label's pixels that belongs to no class, NaN where
    it cannot be read.
    """

    pixels: dict[int, int]
    unknown: dict[int, int]
    unknown_files: int
    unknown_paths: tuple[str, ...]
    unknown_colors: str = ""
    void_shares: Sequence[NDArray[np.float64]] = ()

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
    """Count the ids of every label; what is known from an earlier run is not read again.

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
    key = f"{settings.label_format.encoding} {settings.source_space.digest}"
    known = {} if cache is None else load_counts(cache, key, on_damaged)
    names = [name_group(group) for group in groups] if cache is not None else [str(i) for i in range(len(groups))]
    found = {name: known[name] for name in names if name in known}
    wanted = dict(_list_unread(names, groups, found))
    done, total = 0, sum(map(len, wanted.values()))
    try:
        for name, counts in zip(wanted, count(list(wanted.values()), settings), strict=True):
            found[name] = fill_counts(found[name], counts) if name in found else counts
            done += len(counts.void)
            on_counted(done, total)
    finally:  # also where somebody stops the run here: what was counted is kept
        kept = {name: found[name] for name in names if name in found}
        if cache is not None and keep and not _are_equal(kept, known):
            save_counts(cache, key, kept)
    return _sum_up(groups, [found[name] for name in names], settings)


def _list_unread(
    names: Sequence[str], groups: Sequence[SourceFrames], known: Mapping[str, LabelCounts]
) -> Iterator[tuple[str, Sequence[SourceFrame]]]:
    """Groups to be counted, and of those that are known the frames whose labels could not be read."""
    for name, group in zip(names, groups, strict=True):
        if name not in known:
            yield name, group
        elif unread := np.flatnonzero(np.isnan(known[name].void)).tolist():
            yield name, [group[i] for i in unread]


def _are_equal(counts: Mapping[str, LabelCounts], others: Mapping[str, LabelCounts]) -> bool:
    return list(counts) == list(others) and all(
        found is others[name] or np.array_equal(found.void, others[name].void, equal_nan=True)
        for name, found in counts.items()
    )


def _sum_up(groups: Sequence[SourceFrames], counted: list[LabelCounts], settings: ConversionSettings) -> LabelCensus:
    pixels: Counter[int] = Counter()
    for counts in counted:
        pixels.update(counts.pixels)
    allowed = list_file_ids(settings.source_space)
    unknown = {class_id: pixels[class_id] for class_id in sorted(pixels) if class_id not in allowed}
    strange = (group[i] for group, counts in zip(groups, counted, strict=True) for i in counts.strange)
    first: list[SourceFrame] = list(islice(strange, _SHOWN_FILES))
    colors = ""
    if UNKNOWN_COLOR_ID in unknown:
        with contextlib.suppress(FrameError, OSError):
            colors = explain_unknown_colors(read_label(first[0], settings), settings.source_space)
    return LabelCensus(
        dict(sorted(pixels.items())),
        unknown,
        sum(len(counts.strange) for counts in counted),
        tuple(frame.ref.label for frame in first),
        colors,
        [counts.void for counts in counted],
    )


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
    shares = measure_void(census.pixels, settings.mapping)
    share, limit = sum(shares.values()), settings.job.max_void_fraction
    if share <= min(limit, VOID_WARNING):
        return None
    listed = ", ".join(f"{name} {part:.1%}" for name, part in list(shares.items())[:_SHOWN_FILES])
    message = f"the model has no class for {share:.1%} of the pixels ({listed}) and paints them as void"
    if share > limit:
        raise LabelSpaceError(
            f"{message}, over max_void_fraction {limit:g}",
            hint="convert with a bundle that has these classes, or allow more with --max-void-fraction",
        )
    return message


def measure_void(pixels: Mapping[int, int], mapping: LabelMapping) -> dict[str, float]:
    """Source class -> its share of all pixels, for those that become the target's void; largest first.

    Args:
        pixels: class id -> pixels; ids that the source lacks count as ``unknown``.
        mapping: from the labels to the model.
    """
    names = {item.id: item.name for item in mapping.source.classes}
    total = max(1, sum(pixels.values()))
    void = (mapping.target.void_channel, UNMAPPED)
    shares: Counter[str] = Counter()
    for class_id, count in pixels.items():
        if int(mapping.table[class_id]) in void:
            shares[names.get(class_id, "unknown")] += count
    return {name: count / total for name, count in shares.most_common()}
