"""Counts of class ids in the labels of a group of frames, made by threads of this process or by workers elsewhere."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.source.source_index import SourceFrame
from sflow_pipeline.errors import FrameError
from sflow_pipeline.label_spaces import LabelReading, LabelSpace
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_header import ImageHeader, read_header
from sflow_pipeline.storage.look_ahead import map_ahead

#: Labels that one thread counts at a time.
_PART = 64
#: As far as a PNG states depth and kind of its samples.
_HEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """What the labels of a group of frames hold.

    Attributes:
        pixels: class id -> pixels, over all labels that can be read.
        strange: positions of the frames whose labels hold ids that the label space lacks.
        void: (frames,) float64 share of each label's pixels that belongs to no class; NaN where it, or another
            picture of its frame, cannot be read.
        inexact: columns of pictures in which some file is none that libraries for pictures decode to its own samples.
    """

    pixels: dict[int, int]
    strange: tuple[int, ...]
    void: NDArray[np.float64]
    inexact: tuple[str, ...] = ()


#: Counts groups of frames, in their order.
CountGroups = Callable[[Sequence[Sequence[SourceFrame]], ConversionSettings], Iterator[LabelCounts]]


def count_labels(frames: Iterable[SourceFrame], settings: ConversionSettings) -> LabelCounts:
    """Count the labels of some frames; those that cannot be decoded are quarantined when their turn comes."""
    pixels: Counter[int] = Counter()
    allowed = list_file_ids(settings.source_space)
    strange: list[int] = []
    void: list[float] = []
    inexact: set[str] = set()
    others = [name for name in settings.picture_columns if name != "label"]
    for position, frame in enumerate(frames):
        try:
            reading, header = read_label(frame, settings)
            inexact_here = {name for name in others if not _is_exact(frame, name, settings.source)}
        except (FrameError, OSError):
            void.append(np.nan)
            continue
        inexact |= inexact_here if header.is_exact_as_picture else {"label", *inexact_here}
        label_map = reading.label_map
        counts = np.bincount(label_map.ravel())
        ids = np.flatnonzero(counts)
        found = dict(zip(ids.tolist(), counts[ids].tolist(), strict=True))
        pixels.update(found)
        void.append(float(counts[settings.void_ids[: counts.size]].sum() / max(1, label_map.size)))
        if not allowed.issuperset(found):
            strange.append(position)
    return LabelCounts(dict(sorted(pixels.items())), tuple(strange), np.array(void), tuple(sorted(inexact)))


def count_in_threads(groups: Sequence[Sequence[SourceFrame]], settings: ConversionSettings) -> Iterator[LabelCounts]:
    """Count groups of frames in threads of this process: OpenCV decodes without Python's lock."""

    def count(batch: Sequence[_Part]) -> list[tuple[int, LabelCounts]]:
        return [(number, count_labels(frames, settings)) for number, frames in batch]

    counted = chain.from_iterable(map_ahead(count, list(_cut_batches(groups)), batch=1))
    for _number, parts in groupby(counted, key=itemgetter(0)):
        yield join_counts([counts for _number, counts in parts])


#: Number of a group, and some frames of it.
_Part = tuple[int, Sequence[SourceFrame]]


def _cut_batches(groups: Sequence[Sequence[SourceFrame]]) -> Iterator[list[_Part]]:
    """Groups, and parts of large ones, in batches of about as many labels as one thread counts at a time."""
    batch: list[_Part] = []
    for number, group in enumerate(groups):
        for first in range(0, max(1, len(group)), _PART):
            batch.append((number, group[first : first + _PART]))
            if sum(len(frames) for _number, frames in batch) >= _PART:
                yield batch
                batch = []
    if batch:
        yield batch


def join_counts(parts: Sequence[LabelCounts]) -> LabelCounts:
    """The counts of groups that follow each other as those of one group.

    >>> a, b = LabelCounts({1: 2}, (0,), np.array([0.0])), LabelCounts({1: 1, 3: 4}, (1,), np.array([0.5, 0.25]))
    >>> join_counts([a, b])
    LabelCounts(pixels={1: 3, 3: 4}, strange=(0, 2), void=array([0.  , 0.5 , 0.25]), inexact=())
    """
    pixels: dict[int, int] = {}
    strange: list[int] = []
    frames = 0
    for part in parts:
        for class_id, count in part.pixels.items():
            pixels[class_id] = pixels.get(class_id, 0) + count
        strange += [frames + position for position in part.strange]
        frames += len(part.void)
    void = np.concatenate([part.void for part in parts])
    inexact = tuple(sorted({name for part in parts for name in part.inexact}))
    return LabelCounts(dict(sorted(pixels.items())), tuple(strange), void, inexact)


def fill_counts(counts: LabelCounts, unread: LabelCounts) -> LabelCounts:
    """Counts of a group, and those of its labels that could not be read, which were tried again."""
    places = np.flatnonzero(np.isnan(counts.void))
    void = counts.void.copy()
    void[places] = unread.void
    strange = sorted({*counts.strange, *places[list(unread.strange)].tolist()})
    joined = join_counts([counts, unread])
    return LabelCounts(joined.pixels, tuple(strange), void, joined.inexact)


def list_file_ids(space: LabelSpace) -> frozenset[int]:
    """The ids that label files may hold: a class that a rule makes is in no file, its id means another label space."""
    return frozenset(space.ids() - {item.id for item in space.classes if item.derived})


def read_label(frame: SourceFrame, settings: ConversionSettings) -> tuple[LabelReading, ImageHeader]:
    """Read and decode a frame's label, and what its file says about itself.

    Raises:
        FrameError, OSError: it cannot be read.
    """
    table = settings.source.read_bytes(frame.ref.label_table) if frame.ref.label_table else None
    data = settings.source.read_bytes(frame.ref.label)
    return settings.label_format.read(data, table, frame.ref.label), read_header(data, name=frame.ref.label)


def _is_exact(frame: SourceFrame, column: str, source: Folder) -> bool:
    """Whether a frame's file is exact as a picture; other kinds than PNG are, and frames of faulty files have no row.

    Raises:
        OSError: it cannot be read.
    """
    path = getattr(frame.ref, column)
    if not path or not path.lower().endswith(".png"):
        return True
    try:
        return read_header(_read_head(path, source), name=path).is_exact_as_picture
    except FrameError:
        return True


def _read_head(path: str, source: Folder) -> bytes:
    try:
        with source.open_input(path) as stream:
            return bytes(stream.read(_HEAD_BYTES))
    except OSError:  # in an archive, whose files are read whole
        return source.read_bytes(path)
