"""What a worker must know to convert any shard of a job; small, picklable, and everything that decides bytes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sflow_pipeline.config.job import AlphaName
from sflow_pipeline.conversion.source_index import SourceFrame
from sflow_pipeline.label_spaces import UNMAPPED, LabelMapping, LabelSpace, build_mapping
from sflow_pipeline.schema import DATASET_FORMAT_VERSION, build_row_schema
from sflow_pipeline.simulators import LabelFormat
from sflow_pipeline.storage.canonical_json import compute_digest
from sflow_pipeline.storage.shard_file import ShardFormat

#: Changes when this code makes other bytes of the same input.
CODE_VERSION = 1


@dataclass(frozen=True)
class ConversionSettings:
    """Settings of one conversion, resolved: nothing in here is "auto".

    Attributes:
        source_uri, out_uri: where frames are read from and shards are written to.
        label_format: how label files are read, their label space included.
        target_space: the label space of the bundle.
        allow_nan_depth: NaN means something in this simulator's depth files.
        ignore_unknown_ids: ids outside the source space count as void for the model.
        columns: optional columns of the rows; ``raw_columns``: those of them that are no pictures.
        size_px: (width, height) of the output, None for each frame's own.
        format, variants, alpha, seed: as in the job.
        alpha_concentration: of the alphas that have no name.
        palette, palettes: as in the job; how many the bundle has.
        bundle_digest: of the weights, the recipe and the label space.
        edge_threshold: of the Laplacian edge extractor.
        use_instances: the bundle paints from instance boundaries.
        device, precision: what the networks run on and in; other hardware makes slightly other pixels.
        check_content: source identities are content digests.
    """

    source_uri: str
    out_uri: str
    label_format: LabelFormat
    target_space: LabelSpace
    allow_nan_depth: bool
    ignore_unknown_ids: bool
    columns: tuple[str, ...]
    raw_columns: tuple[str, ...]
    size_px: tuple[int, int] | None
    format: ShardFormat
    variants: int
    alpha: tuple[AlphaName, ...]
    alpha_concentration: float
    palette: Literal["typical", "drawn"]
    palettes: int
    seed: int
    bundle_digest: str
    edge_threshold: float
    use_instances: bool
    device: str
    precision: str
    check_content: bool

    @property
    def modalities(self) -> tuple[str, ...]:
        """Which files of a frame are read."""
        columns = [name for name in self.columns if name not in ("render", "edge")]
        shown = ["instance"] if self.use_instances and "instance" not in columns else []
        return ("render", "label", *columns, *shown)

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
        if self.ignore_unknown_ids and void is not None:
            table = np.where(table == UNMAPPED, np.uint8(void), table)
        return table

    @cached_property
    def fingerprint(self) -> str:
        """sha256 hex of everything in here that decides bytes; where files are does not."""
        return compute_digest(
            {
                "format_version": DATASET_FORMAT_VERSION,
                "code_version": CODE_VERSION,
                "format": self.format,
                "columns": sorted(self.columns),
                "raw_columns": sorted(self.raw_columns),
                "size_px": self.size_px,
                "variants": self.variants,
                "alpha": self.alpha,
                "palette": self.palette,
                "seed": self.seed,
                "label_encoding": self.label_format.encoding,
                "label_table_format": self.label_format.table_format,
                "label_rule": self.label_format.rule,
                "source_space": self.source_space.digest,
                "target_space": self.target_space.digest,
                "ignore_unknown_ids": self.ignore_unknown_ids,
                "bundle": self.bundle_digest,
                "edge_threshold": self.edge_threshold,
                "device": self.device.partition(":")[0],
                "precision": self.precision,
            }
        )

    def describe_mapping(self) -> list[dict[str, Any]]:
        """The label mapping as rows of a table."""
        return [
            {"id": row.source_id, "name": row.source_name, "target_id": row.target_id, "target_name": row.target_name}
            for row in self.mapping.rows
        ]


def compute_fingerprint(settings: ConversionSettings, frames: Sequence[SourceFrame]) -> str:
    """A shard's fingerprint: sha256 hex of its frames, their files' identities and the settings.

    Other frames of the dump, the place of the folders, the number of workers and the frames' timestamps, which no row
    holds, do not count.
    """
    refs = [{name: value for name, value in asdict(frame.ref).items() if name != "timestamp_s"} for frame in frames]
    identities = [frame.identities for frame in frames]
    return compute_digest({"settings": settings.fingerprint, "frames": list(zip(refs, identities, strict=True))})
