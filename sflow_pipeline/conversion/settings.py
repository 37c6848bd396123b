"""Settings of a conversion for workers: small, picklable, and complete for the bytes that are written."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sflow_pipeline.columns import BY_NAME
from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.frame_content import MOST_VOID, list_void_ids
from sflow_pipeline.conversion.motion.motion_source import MotionSource
from sflow_pipeline.conversion.motion.shard_neighbours import NO_NEIGHBOURS, Neighbours
from sflow_pipeline.conversion.source.frame_text import describe_frame, encode_frames
from sflow_pipeline.conversion.source.source_index import SourceFrame, SourceFrames
from sflow_pipeline.label_spaces import UNMAPPED, LabelMapping, LabelSpace, build_mapping
from sflow_pipeline.schema import DATASET_FORMAT_VERSION, build_row_schema
from sflow_pipeline.simulators import LabelFormat
from sflow_pipeline.storage.canonical_json import compute_digest, encode_compact
from sflow_pipeline.storage.filesystem import Folder

#: Raised whenever the same input gives other bytes.
CODE_VERSION = 17

#: Fields of a job that do not decide what a shard holds, or that decide it through another field of the settings.
_JOB_FIELDS_NOT_COUNTED = frozenset(
    {
        "sim_dir", "simulator", "layout", "label_space", "label_encoding", "instance_encoding", "split", "split_by",
        "limit",
        "include", "shard_frames", "shard_bytes", "appearance", "max_unknown_fraction", "max_void_fraction",
        "contradictions", "own_vehicle_mask", "backend", "smooth",
    }
)  # fmt: skip
#: Fields that are younger than datasets, and the value that these were made with: shards with it stay as they are.
_NOT_COUNTED_AT = {"image_format": "png", "backend_digest": "", "has_renders": True, "has_blank_renders": False}
#: Settings that do not decide what a shard holds, or that are counted in another form.
_NOT_COUNTED = frozenset({"job", "source", "out", "device", "batch_size", "use_previous"})  # the bundle's digest counts


@dataclass(frozen=True)
class ConversionSettings:
    """Settings of one conversion, resolved: none of them is "auto".

    Attributes:
        job: the job as stated; choices that it leaves open (label space, columns, device) are resolved below.
        source, out: folders that frames are read from and shards are written to.
        label_format: how label files are read, their label space included.
        target_space: the label space of the bundle.
        allow_nan_depth: NaN has a meaning in this simulator's depth files.
        columns: optional columns of the rows; ``raw_columns``: those of them whose files are not pictures.
        alpha_concentration: of the alphas that have no name.
        palettes: number of the bundle's palettes.
        appearance: how far images follow their renders, 0 to 1; None for bundles without an appearance map.
        bundle_digest: of the weights, the recipe and the label space.
        edge_threshold: of the Laplacian edge extractor.
        use_instances: the bundle paints from instance boundaries.
        use_previous: the bundle paints frames in order, each from the image before.
        device, precision: of the networks; other hardware gives slightly other pixels.
        batch_size: frames that are translated at once; on a GPU it decides which kernels run, so it counts there.
        own_vehicle_mask: content of the picture that shows where the own vehicle is; None finds it in the labels.
        has_renders: the dump has pictures; where it has none, ``region_picture`` draws them from labels and instances.
        has_blank_renders: some of its pictures are of one colour, and images do not follow them: ``region_picture``
            draws in their place, too.
        motion: how far images are smoothed, and what says how frames move; None where they are independent.
        gate_digest: of the segmenter and thresholds that the gate uses; empty where it uses none.
        backend_digest: of the exported files that run in torch's place; empty where torch runs.
    """

    job: ConvertJob
    source: Folder
    out: Folder
    label_format: LabelFormat
    target_space: LabelSpace
    allow_nan_depth: bool
    columns: tuple[str, ...]
    raw_columns: tuple[str, ...]
    alpha_concentration: float
    palettes: int
    appearance: float | None
    bundle_digest: str
    edge_threshold: float
    use_instances: bool
    device: str
    precision: str
    batch_size: int = 1
    gate_digest: str = ""
    backend_digest: str = ""
    own_vehicle_mask: bytes | None = None
    motion: MotionSource | None = None
    has_renders: bool = True
    has_blank_renders: bool = False
    use_previous: bool = False

    @property
    def modalities(self) -> tuple[str, ...]:
        """The files of a frame that are read."""
        columns = [name for name in self.columns if name not in ("render", "edge")]
        motion = () if self.motion is None else self.motion.files
        draws_regions = self.has_blank_renders or not self.has_renders
        needs_instances = self.use_instances or self.repaints_vehicles or draws_regions
        needed = [*motion, *(("instance",) if needs_instances else ())]
        first = ("render", "label") if self.has_renders else ("label",)
        return (*first, *columns, *(name for name in needed if name not in columns))

    @property
    def picture_columns(self) -> tuple[str, ...]:
        """Columns of numbers, the label's among them, whose files `datasets` decodes as pictures."""
        names = (name for name in ("label", *self.columns) if name != "edge" and name not in self.raw_columns)
        return tuple(name for name in names if BY_NAME[name].holds in ("plane", "file"))

    @property
    def smooth(self) -> float:
        """How far images are blended with their neighbours, 0 to 1."""
        return 0.0 if self.motion is None else self.motion.share

    @property
    def needs_order(self) -> bool:
        """Whether an image depends on the one before it: a sequence is then converted in order, in one shard."""
        return self.use_previous

    @property
    def repaints_vehicles(self) -> bool:
        """Whether variants after the first show vehicles in other paint."""
        return self.job.variants > 1 and bool(self.appearance)

    @property
    def counted_batch_size(self) -> int | None:
        """The batch size where it decides bytes: on a GPU; None on a CPU."""
        return None if self.device == "cpu" else self.batch_size

    @property
    def row_schema(self) -> pa.Schema:
        return build_row_schema(self.columns, self.raw_columns)

    @property
    def source_space(self) -> LabelSpace:
        """The label space of the label files."""
        return self.label_format.space

    @property
    def mapping(self) -> LabelMapping:
        """From label ids to the bundle's channels."""
        return build_mapping(self.source_space, self.target_space)

    @cached_property
    def channel_table(self) -> NDArray[np.uint8]:
        """(65536,) id -> channel of the bundle's label space, 255 for ids that must not occur."""
        table = self.mapping.table
        void = self.target_space.void_channel
        if self.job.unknown_ids == "ignore" and void is not None:
            table = np.where(table == UNMAPPED, np.uint8(void), table)
        return table

    @property
    def most_void(self) -> float:
        """Largest share of a label's pixels that may belong to no class."""
        return MOST_VOID if self.job.max_frame_void is None else self.job.max_frame_void

    @cached_property
    def void_ids(self) -> NDArray[np.bool_]:
        """(65536,) which ids of label maps stand for no class; those that the label rule replaces do not."""
        table = list_void_ids(self.source_space)
        table[list(self.label_format.replaced_ids)] = False
        return table

    @cached_property
    def fingerprint(self) -> str:
        """sha256 hex of every field that decides bytes: all but those named above."""
        kind = self.device.partition(":")[0]
        job = {
            name: value
            for name, value in self.job.describe_content().items()
            if name not in _JOB_FIELDS_NOT_COUNTED and _NOT_COUNTED_AT.get(name, ...) != value
        }
        counted = [
            item.name
            for item in fields(self)
            if item.name not in _NOT_COUNTED and _NOT_COUNTED_AT.get(item.name, ...) != getattr(self, item.name)
        ]
        return compute_digest(
            {
                "format_version": DATASET_FORMAT_VERSION,
                "code_version": CODE_VERSION,
                "job": job,
                "device": kind,
                "batch_size": self.counted_batch_size,
                **{name: _to_json(getattr(self, name)) for name in counted},
            }
        )

    def with_raw_columns(self, names: Iterable[str]) -> "ConversionSettings":
        """The same settings with further columns of bytes, which `datasets` does not decode as pictures."""
        raw = {*self.raw_columns, *names}
        return replace(self, raw_columns=tuple(name for name in ("label", *self.columns) if name in raw))

    def describe_mapping(self) -> list[dict[str, Any]]:
        """The label mapping as rows of a table."""
        return [
            {"id": row.source_id, "name": row.source_name, "target_id": row.target_id, "target_name": row.target_name}
            for row in self.mapping.rows
        ]


def _to_json(value: Any) -> Any:
    """JSON-like value of a setting: label spaces by digest, other dataclasses field by field."""
    if isinstance(value, LabelSpace):
        return value.digest
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if is_dataclass(value):
        return {item.name: _to_json(getattr(value, item.name)) for item in fields(value)}
    return value


def compute_fingerprint(
    settings: ConversionSettings,
    frames: SourceFrames,
    samples: Iterable[Sequence[SourceFrame]] = (),
    neighbours: Neighbours = NO_NEIGHBOURS,
) -> str:
    """A shard's fingerprint: sha256 hex of its frames, their files' identities and the settings.

    ``samples`` are the frames on which the colours of the shard's drives are measured, ``neighbours`` those of other
    shards on which its images depend.

    Other frames of the dump, the place of the folders, the number of workers and the frames' timestamps, which no row
    holds, do not count.
    """
    members = {
        "frames": encode_frames(frames),
        "measured": encode_compact([frame.identities for sample in samples for frame in sample]),
        "settings": encode_compact(settings.fingerprint),
    }
    if neighbours.steps:
        members["before"] = encode_compact([describe_frame(frame) for frame in neighbours.before])
        members["after"] = encode_compact([describe_frame(frame) for frame in neighbours.after])
        members["steps"] = encode_compact(dict(neighbours.steps))
    text = ",".join(f'"{name}":{value}' for name, value in sorted(members.items()))
    return hashlib.sha256(f"{{{text}}}".encode()).hexdigest()
