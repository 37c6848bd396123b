"""Label census: class ids of every label, counted before the first frame is converted."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.source_index import SourceFrame
from sflow_pipeline.errors import FrameError, LabelSpaceError
from sflow_pipeline.label_spaces import (
    UNKNOWN_COLOR_ID,
    UNMAPPED,
    LabelMapping,
    LabelReading,
    LabelSpace,
    explain_unknown_colors,
)
from sflow_pipeline.storage.commits import STATE_PATH
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.process_identity import count_cores

_CACHE_PATH = f"{STATE_PATH}/label_ids.json"
_SHOWN_FILES = 3
#: From this share of pixels that the model has no class for, people are told.
VOID_WARNING = 0.1


@dataclass(frozen=True)
class LabelCensus:
    """Pixels per class id over all labels that can be read, and the ids that the label space lacks.

    ``unknown_colors`` says what the colours are that no class has, and how they came about where that shows;
    ``void_shares`` the share of each label's pixels, by its path, that belongs to no class.
    """

    pixels: dict[int, int]
    unknown: dict[int, int]
    unknown_paths: tuple[str, ...]
    unknown_colors: str = ""
    void_shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def unknown_share(self) -> float:
        return sum(self.unknown.values()) / max(1, sum(self.pixels.values()))


def take_census(
    frames: Sequence[SourceFrame],
    settings: ConversionSettings,
    cache: Folder | None,
    on_damaged: Callable[[str], None] = lambda _path: None,
) -> LabelCensus:
    """Count the ids of every label; what is known from an earlier run is not read again.

    Labels that cannot be decoded are skipped: their frames are quarantined when their turn comes.

    Args:
        frames: all of the dump.
        settings: label space and encoding.
        cache: where counts are kept, None to keep none.
        on_damaged: gets the path of the kept counts where they cannot be read.
    """
    key = f"{settings.label_format.encoding} {settings.source_space.digest}"
    known = _load(cache, key, on_damaged)

    def count(frame: SourceFrame) -> dict[int, int] | None:
        name = _name(frame)
        if name in known:
            return known[name]
        try:
            counts = np.bincount(_read(frame, settings).label_map.ravel())
        except (FrameError, OSError):
            return None
        return {int(class_id): int(counts[class_id]) for class_id in np.flatnonzero(counts)}

    with ThreadPoolExecutor(min(8, 2 * count_cores())) as pool:
        counted = list(zip(frames, pool.map(count, frames), strict=True))
    found = {_name(frame): ids for frame, ids in counted if ids is not None}
    if cache is not None and found != known:
        cache.write_bytes(_CACHE_PATH, json.dumps({"key": key, "labels": found}).encode("utf-8", "backslashreplace"))
    allowed = list_file_ids(settings.source_space)
    pixels: Counter[int] = Counter()
    strange = []
    for frame, ids in counted:
        pixels.update(ids or {})
        if ids and not allowed.issuperset(ids):
            strange.append(frame)
    unknown = {class_id: pixels[class_id] for class_id in sorted(pixels) if class_id not in allowed}
    colors = ""
    if UNKNOWN_COLOR_ID in unknown:
        with contextlib.suppress(FrameError, OSError):
            colors = explain_unknown_colors(_read(strange[0], settings), settings.source_space)
    void = {
        frame.ref.label: sum(n for i, n in ids.items() if settings.void_ids[i]) / max(1, sum(ids.values()))
        for frame, ids in counted
        if ids is not None
    }
    return LabelCensus(dict(sorted(pixels.items())), unknown, tuple(frame.ref.label for frame in strange), colors, void)


def list_file_ids(space: LabelSpace) -> frozenset[int]:
    """The ids that label files may hold: a class that a rule makes is in no file, its id means another label space."""
    return frozenset(space.ids() - {item.id for item in space.classes if item.derived})


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
        f"label ids {listed} are not in label space {settings.source_space.name}: in {len(census.unknown_paths)} "
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


def _read(frame: SourceFrame, settings: ConversionSettings) -> LabelReading:
    table = settings.source.read_bytes(frame.ref.label_table) if frame.ref.label_table else None
    return settings.label_format.read(settings.source.read_bytes(frame.ref.label), table, frame.ref.label)


def _name(frame: SourceFrame) -> str:
    """What counts are kept under: the label and its table, in this state."""
    return " ".join([frame.ref.label, frame.identities["label"], frame.identities.get("label_table", "")]).rstrip()


def _load(cache: Folder | None, key: str, on_damaged: Callable[[str], None]) -> dict[str, dict[int, int]]:
    if cache is None:
        return {}
    try:
        content = json.loads(cache.read_bytes(_CACHE_PATH))
        if content["key"] != key:
            return {}
        counts = {name: {int(i): int(n) for i, n in ids.items()} for name, ids in content["labels"].items()}
        if any(not 0 <= i <= UNKNOWN_COLOR_ID or n < 0 for ids in counts.values() for i, n in ids.items()):
            raise ValueError("counts of no pixels")
        return counts
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        on_damaged(_CACHE_PATH)
        return {}
