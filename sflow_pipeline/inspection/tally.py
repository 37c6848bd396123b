"""Counts over the frames of a dump that ``inspect`` opens; every frame is read and checked as ``convert`` does it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sflow_pipeline.columns import MODALITIES, OPTIONAL_COLUMNS, estimate_row_bytes
from sflow_pipeline.conversion.frame.decode import decode_frame
from sflow_pipeline.conversion.labels.census import (
    LabelCensus,
    check_census,
    check_void,
)
from sflow_pipeline.conversion.labels.counts import list_file_ids
from sflow_pipeline.conversion.labels.half_void import find_half_void
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard.quarantine import is_over_limit
from sflow_pipeline.conversion.source.source_index import SourceFrame
from sflow_pipeline.errors import FrameError, LabelSpaceError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.inspection.thumbnail import Thumbnail, draw_thumbnail
from sflow_pipeline.label_spaces import UNKNOWN_COLOR_ID, LabelMapping, LabelReading, explain_unknown_colors
from sflow_pipeline.simulators import Dump, Problem
from sflow_pipeline.storage.image_codec import read_size_px

_FIRST_FILES = 3
_SHOWN_COLORS = 8
_IDS = 65536
_UNKNOWN_COLOR = "unknown_color"


@dataclass(frozen=True)
class ClassShare:
    """How much of the sampled pixels a class has, 0 to 1; ``color`` is RGB."""

    id: int
    name: str
    share: float
    color: tuple[int, int, int]


@dataclass(frozen=True)
class UnmappedId:
    """An id, or a colour, that the label space does not have.

    Attributes:
        id: the id; None for a colour.
        color: RGB of an unknown palette colour; None for an id.
        share: of all sampled pixels, 0 to 1.
        first_files: the first label files that hold it.
    """

    id: int | None
    color: tuple[int, int, int] | None
    share: float
    first_files: tuple[str, ...]


class Tally:
    """Counts over the opened frames."""

    def __init__(self, dump: Dump, mapping: LabelMapping, settings: ConversionSettings) -> None:
        self._dump = dump
        self._folder = dump.folder
        self._mapping = mapping
        self._settings = settings
        self._counts = np.zeros(_IDS, np.int64)
        self._file_counts = np.zeros(_IDS, np.int64)
        self._colors: Counter[tuple[int, int, int]] = Counter()
        self._first_files: dict[int | tuple[int, int, int], list[str]] = {}
        self._strange: list[tuple[str, str]] = []
        self._void_shares: dict[str, float] = {}
        self._sample_ids: dict[str, str] = {}
        self._faults: dict[str, list[tuple[str, str]]] = {}
        self._columns = [name for name in OPTIONAL_COLUMNS if name == "edge" or name in dump.modalities]
        self._allowed = np.isin(np.arange(_IDS), list(list_file_ids(mapping.source)))
        self._opened = 0
        self.sizes: Counter[str] = Counter()
        self.source_bytes = self.output_bytes = self.pixels = 0
        self.thumbnails: list[Thumbnail] = []

    def add(self, source: SourceFrame, *, is_drawn: bool) -> None:
        """Open a frame."""
        self._opened += 1
        frame = source.ref
        paths = sorted({path for name in MODALITIES if (path := getattr(frame, name)) is not None})
        self.source_bytes += sum(max(fact.size_bytes, 0) for fact in self._folder.stat(paths))
        is_strange = False
        try:
            width_px, height_px = read_size_px(self._read(frame.source), name=frame.source)
            self.sizes[f"{width_px}x{height_px}"] += 1
            self.pixels += width_px * height_px
            self.output_bytes += estimate_row_bytes((width_px, height_px), self._columns)
            reading = self._read_label(frame)
            is_strange = self._count(frame, reading)
            decoded = decode_frame(source, self._settings)
            if is_drawn:
                label_map = self._dump.label_format.refine(reading.label_map)
                render = decoded.render if frame.render else None
                self.thumbnails.append(draw_thumbnail(frame.sample_id, render, label_map, self._mapping.source))
        except FrameError as error:
            if is_strange and error.reason == "unknown_id":
                return  # `find_failure` says more about it
            text = f"{error.message}; {error.hint}" if error.hint else error.message
            self._faults.setdefault(error.reason, []).append((frame.sample_id, text))

    def _read(self, path: str) -> bytes:
        try:
            return self._folder.read_bytes(path)
        except OSError as error:
            raise FrameError(f"{path}: cannot be read: {error.strerror or error}", reason="unreadable") from error

    def _read_label(self, frame: FrameRef) -> LabelReading:
        table = self._read(frame.label_table) if frame.label_table else None
        return self._dump.label_format.read(self._read(frame.label), table, frame.label)

    def _count(self, frame: FrameRef, reading: LabelReading) -> bool:
        """Note a label's ids and colours; whether some are not in the label space."""
        for color, pixels in reading.unknown_colors.items():
            self._colors[color] += pixels
            self._note(color, frame.label)
        explained = explain_unknown_colors(reading, self._mapping.source) if reading.unknown_colors else ""
        if explained:
            self._faults.setdefault(_UNKNOWN_COLOR, []).append((frame.sample_id, f"{frame.label} has {explained}"))
        in_file = np.bincount(reading.label_map.ravel(), minlength=_IDS)
        counts = np.bincount(self._dump.label_format.refine(reading.label_map).ravel(), minlength=_IDS)
        self._counts += counts
        self._file_counts += in_file
        self._sample_ids[frame.label] = frame.sample_id
        self._void_shares[frame.label] = float(in_file[self._settings.void_ids].sum() / max(1, in_file.sum()))
        for class_id in np.flatnonzero(counts).tolist():
            self._note(class_id, frame.label)
        is_strange = bool(in_file[~self._allowed].any())
        if is_strange:
            self._strange.append((frame.label, explained))
        return is_strange

    def _note(self, key: int | tuple[int, int, int], path: str) -> None:
        files = self._first_files.setdefault(key, [])
        if len(files) < _FIRST_FILES:
            files.append(path)

    def class_shares(self) -> tuple[ClassShare, ...]:
        """Shares after the dump's label rule, largest first."""
        total = max(int(self._counts.sum()), 1)
        shares = [
            ClassShare(label_class.id, label_class.name, int(self._counts[label_class.id]) / total, label_class.color)
            for label_class in self._mapping.source.classes
            if self._counts[label_class.id]
        ]
        return tuple(sorted(shares, key=lambda row: -row.share))

    def pixels_of_ids(self) -> dict[int, int]:
        """Pixels of each id, after the dump's label rule."""
        return {class_id: int(self._counts[class_id]) for class_id in np.flatnonzero(self._counts).tolist()}

    def find_failure(self, frames: int) -> str:
        """Why a conversion would stop, "" where it would not.

        Args:
            frames: of the dump, of which the opened ones are a sample.
        """
        pixels = {class_id: int(self._file_counts[class_id]) for class_id in np.flatnonzero(self._file_counts).tolist()}
        unknown = {class_id: count for class_id, count in pixels.items() if not self._allowed[class_id]}
        census = LabelCensus(
            pixels,
            unknown,
            len(self._strange),
            tuple(path for path, _ in self._strange),
            next((explained for _, explained in self._strange if explained), ""),
        )
        try:
            for check in (check_census, check_void):
                check(census, self._settings)
        except LabelSpaceError as error:
            return f"{error.message}; {error.hint}"
        bad = sum(len(found) for reason, found in self._list_faults().items() if reason != _UNKNOWN_COLOR)
        limit = self._settings.job.max_bad_fraction
        expected = bad if self._opened == frames or not self._opened else round(bad * frames / self._opened)
        if bad and is_over_limit(expected, frames, limit):
            return f"{bad} of {self._opened} opened frames cannot be converted, over max_bad_fraction {limit:g}"
        return ""

    def _list_faults(self) -> dict[str, list[tuple[str, str]]]:
        """Reason -> sample ids and messages, labels that stand out among the others included."""
        faults = {reason: list(found) for reason, found in self._faults.items()}
        if self._settings.job.max_frame_void is None:
            known = {sample_id for found in faults.values() for sample_id, _ in found}
            for path, why in find_half_void(self._void_shares).items():
                if self._sample_ids[path] not in known:
                    text = f"{why.message}; {why.hint}"
                    faults.setdefault(why.reason, []).append((self._sample_ids[path], text))
        return faults

    def unmapped_ids(self) -> tuple[UnmappedId, ...]:
        """What the label space lacks."""
        total = max(int(self._counts.sum()), 1)
        known = self._mapping.source.ids()
        found = [
            UnmappedId(class_id, None, int(self._counts[class_id]) / total, tuple(self._first_files[class_id]))
            for class_id in np.flatnonzero(self._counts).tolist()
            if class_id not in known and not (class_id == UNKNOWN_COLOR_ID and self._colors)
        ]
        for color, pixels in self._colors.most_common(_SHOWN_COLORS):
            found.append(UnmappedId(None, color, pixels / total, tuple(self._first_files[color])))
        return tuple(found)

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the opened frames."""
        for reason, faults in sorted(self._list_faults().items()):
            paths = tuple(sample_id for sample_id, _ in faults)
            if reason == _UNKNOWN_COLOR and self._settings.job.unknown_ids == "ignore":
                text = f"{len(faults)} of the opened frames have colours of no class, first {faults[0][1]}"
                yield Problem(reason, text, paths, "warning")
                continue
            text = f"{len(faults)} of the opened frames cannot be converted ({reason}), first {faults[0][1]}"
            yield Problem(reason, text, paths, "error")
