"""Keyword arguments of ``sflow_pipeline.convert``, for completion and type checkers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from sflow_pipeline.config.field_types import AlphaName, ImageFormat, OptionalColumn
from sflow_pipeline.label_spaces import InstanceEncoding, StatedLabelEncoding


class ConvertOptions(TypedDict, total=False):
    """Every field of ``ConvertJob`` but the two folders; what each means and its default is described there."""

    bundle: str | Path | None
    simulator: str | None
    layout: str | Mapping[str, str] | None
    label_space: str | Path | None
    label_encoding: StatedLabelEncoding | None
    instance_encoding: InstanceEncoding | None
    format: Literal["parquet", "png"]
    image_format: ImageFormat
    variants: int
    seed: int
    alpha: AlphaName | Sequence[AlphaName]
    palette: Literal["typical", "drawn"]
    appearance: float | Literal["auto", "palette", "coarse", "fine", "full"]
    photo_colors: float
    own_vehicle_mask: str | Path | None
    own_vehicle: Literal["keep", "paint", "mask"]
    shifts: int
    smooth: float | None
    gate: Literal["off", "score", "enforce"]
    gate_retries: int
    size: str | tuple[int, int] | None
    workers: int | None
    address: str | None
    device: str
    backend: str | None
    precision: Literal["auto", "fp32", "bf16"]
    batch_size: int | None
    split: str | None
    split_by: str | tuple[str, str] | None
    content_hash: bool
    max_bad_fraction: float
    shard_frames: int
    shard_bytes: int
    resume: bool
    replace: bool
    notify: str | None
    metrics_file: str | None
    unknown_ids: Literal["error", "ignore"]
    max_unknown_fraction: float
    max_void_fraction: float
    max_frame_void: float | None
    contradictions: Literal["error", "ignore"]
    limit: int | None
    video: bool
    include: Sequence[OptionalColumn] | None
