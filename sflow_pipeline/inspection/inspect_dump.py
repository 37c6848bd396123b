"""Inspection of a dump before conversion: contents, label ids, mapping, problems, cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.columns import MODALITIES, OPTIONAL_COLUMNS, estimate_row_bytes
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.contradictions import find_contradictions
from sflow_pipeline.conversion.frame_content import check_content, list_void_ids
from sflow_pipeline.conversion.label_census import measure_void
from sflow_pipeline.conversion.resolve_job import is_encoding_stated
from sflow_pipeline.errors import FrameError
from sflow_pipeline.frames import FrameRef, read_column
from sflow_pipeline.inspection.thumbnail import Thumbnail, draw_thumbnail
from sflow_pipeline.inspection.trial_run import TIMED_FRAMES, Estimate, time_a_few_frames
from sflow_pipeline.label_spaces import (
    UNKNOWN_COLOR_ID,
    LabelMapping,
    LabelSpace,
    MappingRow,
    build_mapping,
    explain_unknown_colors,
    load_label_space,
)
from sflow_pipeline.simulators import Dump, Problem, discover
from sflow_pipeline.storage.image_codec import check_size, decode_rgb, read_size_px

#: Dumps up to this many frames are read whole.
READ_ALL_FRAMES = 200
_FIRST_FILES = 3
_SHOWN_COLORS = 8


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


@dataclass(frozen=True)
class Inspection:
    """Result of ``inspect``.

    Attributes:
        sizes: ``"<width>x<height>"`` -> sampled pictures of that size in pixels.
        sampled_frames: how many frames were opened; ``frames`` counts all.
        classes: share of the pixels per class that occurs, largest first, after the dump's label rule.
        mapping: source class -> class of the model's label space.
        lost_classes: classes with a meaning that the model's label space lacks; they become void.
        unmapped_ids: what conversion would quarantine frames for.
        instance_encoding: what the values of instance files mean; None without such files.
        void_shares: class -> share of the pixels, for classes that the model does not have, void included.
        problems: of discovery, of the frames that were opened, and contradictions between files.
        failure: why a conversion would stop, "" where it would not.
        source_bytes: all files of all frames, extrapolated from the opened ones.
        estimate: what a dataset of it would take at the source's size with every column, one photo of each frame.
        thumbnails: some opened frames, picture and label side by side; not part of ``to_dict``.
    """

    root: str
    simulator: str
    version: str
    why: str
    sequences: int
    frames: int
    sampled_frames: int
    splits: dict[str, int]
    modalities: tuple[str, ...]
    sizes: dict[str, int]
    fps: float | None
    label_space: str
    label_encoding: str
    label_rule: str
    instance_encoding: str | None
    model_label_space: str
    classes: tuple[ClassShare, ...]
    mapping: tuple[MappingRow, ...]
    lost_classes: tuple[str, ...]
    unmapped_ids: tuple[UnmappedId, ...]
    void_shares: dict[str, float]
    problems: tuple[Problem, ...]
    failure: str
    source_bytes: int
    estimate: Estimate
    thumbnails: tuple[Thumbnail, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers, for JSON."""
        return asdict(replace(self, thumbnails=()))


def inspect_dump(
    root: str | Path,
    *,
    simulator: str | None = None,
    layout: str | Mapping[str, str] | None = None,
    label_space: str | None = None,
    label_encoding: str | None = None,
    instance_encoding: str | None = None,
    model_label_space: str | None = None,
    bundle: str | None = None,
    sample: int = 64,
    thumbnails: int = 0,
    measure: bool = False,
) -> Inspection:
    """Discover a dump and open a sample of its frames.

    Args:
        root: the dump's folder.
        simulator, layout, label_space, label_encoding, instance_encoding: as in ``ConvertJob``; detected where None.
        model_label_space: name or file of the label space of the model that would convert it; the bundle's where None.
        bundle: name or folder of the bundle that would convert it; the default one where None.
        sample: how many frames to open, spread evenly; all of them in dumps of up to 200 frames.
        thumbnails: how many of them to draw.
        measure: convert a few of them in memory, to estimate from that.

    Raises:
        BundleError: the bundle cannot be used.
        ConfigError: an option has a value that it cannot have.
        DumpError: the dump as a whole cannot be used.
        LabelSpaceError: a label space does not exist or cannot be mapped.
    """
    root = str(root)
    stated = {"simulator": simulator, "layout": layout, "label_space": label_space, "label_encoding": label_encoding}
    beside = f"{root if '://' in root else Path(root).resolve()}.unwritten"
    places = {"sim_dir": root, "out_dir": beside, "bundle": bundle}
    job = build_job({**places, **stated, "instance_encoding": instance_encoding})
    dump = discover(root, **job.dump_options)
    target = load_label_space(model_label_space) if model_label_space else load_bundle(bundle).label_space
    mapping = build_mapping(dump.label_format.space, target)
    chosen = _choose(dump.frames, sample)
    tally = _Tally(dump, mapping)
    drawn = _choose(chosen, thumbnails, read_all=0) if thumbnails else []
    for frame in chosen:
        tally.add(frame, is_drawn=frame in drawn)
    share = len(dump.frames) / max(len(chosen), 1)
    if measure:
        estimate = time_a_few_frames(job, _choose(chosen, 1 + TIMED_FRAMES, read_all=0), tally.pixels * share)
    else:
        how = "at most, from the pixels of the opened frames; --estimate measures"
        estimate = Estimate(round(tally.output_bytes * share), None, how)
    contradictions = find_contradictions(dump, dump.frames, is_encoding_stated=is_encoding_stated(job))
    problems = (*dump.problems, *tally.problems(), *contradictions)
    return Inspection(
        root=root,
        simulator=dump.simulator,
        version=dump.version,
        why=dump.why,
        sequences=len(dump.sequence_ids),
        frames=len(dump.frames),
        sampled_frames=len(chosen),
        splits=dict(Counter(read_column(dump.frames, "split"))),
        modalities=dump.modalities,
        sizes=dict(tally.sizes.most_common()),
        fps=dump.fps,
        label_space=mapping.source.name if isinstance(dump.label_space, LabelSpace) else dump.label_space,
        label_encoding=dump.label_encoding,
        label_rule=dump.label_rule,
        instance_encoding=dump.instance_encoding if "instance" in dump.modalities else None,
        model_label_space=model_label_space or target.name,
        classes=tally.class_shares(),
        mapping=mapping.rows,
        lost_classes=mapping.lost,
        unmapped_ids=tally.unmapped_ids(),
        void_shares=measure_void(tally.pixels_of_ids(), mapping),
        problems=problems,
        failure=tally.find_failure(job.max_bad_fraction)
        or next((problem.message for problem in contradictions if problem.severity == "error"), ""),
        source_bytes=round(tally.source_bytes * share),
        estimate=estimate,
        thumbnails=tuple(tally.thumbnails),
    )


def _choose(frames: Sequence[FrameRef], sample: int, *, read_all: int = READ_ALL_FRAMES) -> list[FrameRef]:
    if len(frames) <= max(read_all, sample):
        return list(frames)
    return [frames[position] for position in np.linspace(0, len(frames) - 1, max(sample, 1)).astype(int)]


class _Tally:
    """Counts over the opened frames."""

    def __init__(self, dump: Dump, mapping: LabelMapping) -> None:
        self._dump = dump
        self._folder = dump.folder
        self._mapping = mapping
        self._counts = np.zeros(65536, np.int64)
        self._colors: Counter[tuple[int, int, int]] = Counter()
        self._first_files: dict[int | tuple[int, int, int], list[str]] = {}
        self._faults: dict[str, list[tuple[str, str]]] = {}
        self._columns = [name for name in OPTIONAL_COLUMNS if name == "edge" or name in dump.modalities]
        self._is_void = list_void_ids(mapping.source)
        self._opened = 0
        self.sizes: Counter[str] = Counter()
        self.source_bytes = self.output_bytes = self.pixels = 0
        self.thumbnails: list[Thumbnail] = []

    def add(self, frame: FrameRef, *, is_drawn: bool) -> None:
        self._opened += 1
        paths = sorted({path for name in MODALITIES if (path := getattr(frame, name)) is not None})
        self.source_bytes += sum(max(fact.size_bytes, 0) for fact in self._folder.stat(paths))
        try:
            label_bytes, render_bytes = self._read(frame.label), self._read(frame.render)
            width_px, height_px = read_size_px(render_bytes, name=frame.render)
            self.sizes[f"{width_px}x{height_px}"] += 1
            self.pixels += width_px * height_px
            self.output_bytes += estimate_row_bytes((width_px, height_px), self._columns)
            label_map = self._label_map(frame, label_bytes)
            label_px = (label_map.shape[1], label_map.shape[0])
            check_size(label_px, (width_px, height_px), name=frame.label, picture="its picture")
            render = decode_rgb(render_bytes, name=frame.render)
            check_content(render, label_map, self._is_void, (frame.render, frame.label))
            if is_drawn:
                self.thumbnails.append(draw_thumbnail(frame.sample_id, render, label_map, self._mapping.source))
        except FrameError as error:
            text = f"{error.message}; {error.hint}" if error.hint else error.message
            self._faults.setdefault(error.reason, []).append((frame.sample_id, text))

    def _read(self, path: str) -> bytes:
        try:
            return self._folder.read_bytes(path)
        except OSError as error:
            raise FrameError(f"{path}: cannot be read: {error.strerror or error}", reason="unreadable") from error

    def _label_map(self, frame: FrameRef, data: bytes) -> NDArray[Any]:
        table = self._read(frame.label_table) if frame.label_table else None
        reading = self._dump.label_format.read(data, table, frame.label)
        label_map: NDArray[Any] = reading.label_map
        for color, pixels in reading.unknown_colors.items():
            self._colors[color] += pixels
            self._note(color, frame.label)
        if reading.unknown_colors:
            explained = explain_unknown_colors(reading, self._mapping.source)
            self._faults.setdefault("unknown_color", []).append((frame.sample_id, f"{frame.label} has {explained}"))
        label_map = self._dump.label_format.refine(label_map)
        counts = np.bincount(label_map.ravel(), minlength=65536)
        self._counts += counts
        for class_id in np.flatnonzero(counts).tolist():
            self._note(class_id, frame.label)
        return label_map

    def _note(self, key: int | tuple[int, int, int], path: str) -> None:
        files = self._first_files.setdefault(key, [])
        if len(files) < _FIRST_FILES:
            files.append(path)

    def class_shares(self) -> tuple[ClassShare, ...]:
        total = max(int(self._counts.sum()), 1)
        shares = [
            ClassShare(label_class.id, label_class.name, int(self._counts[label_class.id]) / total, label_class.color)
            for label_class in self._mapping.source.classes
            if self._counts[label_class.id]
        ]
        return tuple(sorted(shares, key=lambda row: -row.share))

    def pixels_of_ids(self) -> dict[int, int]:
        return {class_id: int(self._counts[class_id]) for class_id in np.flatnonzero(self._counts).tolist()}

    def find_failure(self, max_bad_fraction: float) -> str:
        """Why a conversion of frames like these would stop, "" where it would not."""
        unknown = self.unmapped_ids()
        if unknown:
            return f"{sum(item.share for item in unknown):.2%} of the pixels are not in the label space"
        faults = {reason: len(found) for reason, found in self._faults.items()}
        if faults.get("blank_render") == self._opened:  # then a conversion follows labels alone, and says so
            del faults["blank_render"]
        bad = sum(faults.values())
        if bad and (bad == self._opened or bad > max(1, max_bad_fraction * self._opened)):
            return f"{bad} of {self._opened} opened frames cannot be converted"
        return ""

    def unmapped_ids(self) -> tuple[UnmappedId, ...]:
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

    def problems(self) -> tuple[Problem, ...]:
        return tuple(
            Problem(
                reason,
                f"{len(faults)} of the opened frames cannot be converted ({reason}), first {faults[0][1]}",
                tuple(sample_id for sample_id, _ in faults),
                "error",
            )
            for reason, faults in sorted(self._faults.items())
        )
