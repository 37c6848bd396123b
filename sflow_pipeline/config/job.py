"""A job: everything that one conversion needs to know, as typed fields; every flag of `convert` is one of them."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from sflow_pipeline.config.decode import check_pixels, decode_config, parse_size, read_yaml
from sflow_pipeline.config.field_types import AlphaName, Appearance, Device, ImageFormat, OptionalColumn, Split
from sflow_pipeline.config.layout_patterns import split_patterns
from sflow_pipeline.config.new_splits import parse_new_splits
from sflow_pipeline.config.placeholders import fill_in
from sflow_pipeline.config.section import Section
from sflow_pipeline.label_spaces import InstanceEncoding, StatedLabelEncoding

#: Fields that say what the dump is.
DUMP_OPTIONS = ("simulator", "layout", "label_space", "label_encoding", "instance_encoding")
#: Fields that decide which dumps are refused.
_LIMITS = ("max_bad_fraction", "max_unknown_fraction", "max_void_fraction", "contradictions")
#: Fields that decide how fast or where. The bundle and the device decide bytes, but are stated in the manifest.
_OPERATIONAL_FIELDS = frozenset(
    {
        "out_dir", "workers", "address", "content_hash", "resume", "device", "precision", "bundle", "batch_size",
        "replace", "video", "notify", "metrics_file", *_LIMITS,
    }
)  # fmt: skip


class ConvertJob(Section):
    """Turn a simulator dump into a photo-realistic dataset.

    >>> ConvertJob(sim_dir="dump", out_dir="out", size="512x256").size
    (512, 256)
    """

    sim_dir: str = Field(min_length=1, description="folder or object-store URI that the simulator wrote")
    out_dir: str = Field(min_length=1, description="folder or object-store URI of the dataset")
    bundle: str | None = Field(None, description="name or folder of the trained bundle; null is the default one")
    simulator: str | None = Field(None, description="which simulator wrote sim_dir; null finds out")
    layout: dict[str, str] | None = Field(
        None, description="path pattern of each column, such as images/{sequence}/{frame}.png; null finds the layout"
    )
    label_space: str | None = Field(None, description="name or file of the labels' label space; null takes the dump's")
    label_encoding: StatedLabelEncoding | None = Field(
        None, description="how label files hold ids; null takes the layout's or what the files show"
    )
    instance_encoding: InstanceEncoding | None = Field(
        None, description="what the values of instance files mean; null takes the layout's or what the files show"
    )
    format: Literal["parquet", "png"] = Field("parquet", description="Parquet shards, or a tree of files")
    image_format: ImageFormat = Field(
        "png",
        description="files of the converted images: png, webp (lossless, smaller, slower) or jpeg (lossy, smallest)",
    )
    variants: int = Field(1, ge=1, le=1000, description="how many different photos to make of each frame")
    seed: int = Field(0, ge=0, lt=2**63, description="decides how variants differ")
    alpha: tuple[AlphaName, ...] = Field(
        ("even",), description="edges of the first variants, by name: even, crisp, soft, broad; further ones are drawn"
    )
    palette: Literal["typical", "drawn"] = Field(
        "typical", description="colours of the first variant: typical ones, or drawn for every sequence"
    )
    appearance: Appearance = Field(
        "auto",
        description="how far images follow the render's colours, light and detail: 0 (labels and edges alone) to 1, or "
        "palette, coarse, fine, full; auto measures the dump",
    )
    photo_colors: float = Field(
        0.2, ge=0, le=1, description="how far class colours are moved from the render's to those of photos"
    )
    own_vehicle_mask: str | None = Field(
        None,
        description="picture that is not black where the recording vehicle's own body is, for dumps whose labels lack "
        "it; null finds it in the labels",
    )
    own_vehicle: Literal["keep", "paint", "mask"] = Field(
        "keep",
        description="the recording vehicle's own bonnet: keep as rendered in the image's tone, paint, or mask in "
        "black; kept only where renders are followed",
    )
    shifts: int = Field(
        1,
        ge=1,
        le=8,
        description="each image is the mean of this many, made of the frame shifted by a few pixels: steadier in "
        "video, softer, and as many times the generator's work",
    )
    smooth: float | None = Field(
        None,
        ge=0,
        le=1,
        description="steadier sequences: how far each image is blended with the three before and the three after it, "
        "carried along the simulator's flow, or the motion measured where there is none; 0 keeps images independent of "
        "each other; null is 1 for dumps with flow, else 0",
    )
    gate: Literal["off", "score", "enforce"] = Field(
        "score",
        description="agreement of images with their labels: off, score (columns), or enforce (an image below the "
        "bundle's thresholds is made again and then left out)",
    )
    gate_retries: int = Field(
        1, ge=0, le=10, description="how often an image that the gate refuses is made again with another look"
    )
    size: tuple[int, int] | None = Field(None, description="output size as WxH pixels; null is the source's")
    workers: int | None = Field(None, ge=1, le=4096, description="how many worker processes; null decides")
    address: str | None = Field(None, description="address of a Ray cluster; null works on this machine")
    device: Device = Field("auto", description="auto, cpu, cuda or cuda:N")
    backend: str | None = Field(
        None,
        description="folder of `models export` whose files run in torch's place, on the CPU in fp32, with appearance "
        "palette; null is torch",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="number format of the networks")
    batch_size: int | None = Field(
        None, ge=1, le=1024, description="frames translated at once; null takes 1 on a CPU, more on a GPU"
    )
    split: Split | None = Field(None, description="put every frame in this split; null keeps the dump's")
    split_by: str | None = Field(
        None,
        description="make splits: sequence, block (50 frames) or frame, which stays whole, and the shares of train, "
        "val and test, as in sequence 0.8/0.1/0.1; recorded, so that a growing dump keeps them",
    )
    content_hash: bool = Field(False, description="know source files by content instead of size and time, for CI")
    max_bad_fraction: float = Field(0.05, ge=0, le=1, description="stop when more frames than this cannot be converted")
    shard_frames: int = Field(512, ge=1, le=100_000, description="most frames in a shard")
    shard_bytes: int = Field(256 << 20, ge=1, le=1 << 40, description="most bytes in a shard, estimated")
    resume: bool = Field(True, description="keep what is committed and unchanged; false converts everything again")
    notify: str | None = Field(
        None,
        description="program and arguments that are run at the end, however it ends: SFLOW_STATE, SFLOW_OUT_DIR and "
        "SFLOW_MESSAGE are in its environment, the summary as JSON on its standard input",
    )
    metrics_file: str | None = Field(
        None, description="local file for Prometheus' text format, renewed every few seconds"
    )
    replace: bool = Field(
        False,
        description="convert although rows of the dataset would go: of another dump, or left out by other options",
    )
    unknown_ids: Literal["error", "ignore"] = Field(
        "error", description="label ids outside the label space: stop, or treat as void"
    )
    max_unknown_fraction: float = Field(
        0.1, ge=0, le=1, description="with unknown_ids ignore: stop when more of the pixels have such an id"
    )
    max_void_fraction: float = Field(
        1.0, ge=0, le=1, description="stop when the model has no class for more of the pixels"
    )
    max_frame_void: float | None = Field(
        None,
        ge=0,
        le=1,
        description="leave out frames of whose label more belongs to no class; null: 0.4, or 0.25 more than in "
        "three quarters of the labels where that is more",
    )
    contradictions: Literal["error", "ignore"] = Field(
        "error", description="pictures and labels of other moments or cameras, colours against ids: stop, or go on"
    )
    limit: int | None = Field(None, ge=1, description="convert the first N frames only")
    video: bool = Field(False, description="also write a video of each sequence, rendered beside converted")
    include: tuple[OptionalColumn, ...] | None = Field(
        None, description="optional columns to write; null takes all that the dump has, and edge"
    )

    @field_validator("size", mode="before")
    @classmethod
    def _parse_size(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = parse_size(value)
        return value

    @field_validator("size")
    @classmethod
    def _check_size(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None:
            if min(value) < 8:
                raise ValueError("both sides must be 8 pixels or more")
            check_pixels(value)
        return value

    @field_validator("sim_dir", "out_dir", "bundle", "label_space", "simulator", "address", "backend")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        if value is not None and "\0" in value:
            raise ValueError("must not hold the character NUL")
        return value

    @field_validator("split_by", mode="before")
    @classmethod
    def _check_split_by(cls, value: Any) -> Any:
        words = value.split() if isinstance(value, str) else value
        if words is None:
            return None
        if not isinstance(words, list | tuple) or len(words) != 2 or not all(isinstance(word, str) for word in words):
            raise ValueError("expected a unit and shares, such as sequence 0.8/0.1/0.1")
        parse_new_splits(*words)
        return " ".join(words)

    @field_validator("layout", mode="before")
    @classmethod
    def _split_patterns(cls, value: Any) -> Any:
        return split_patterns(value) if isinstance(value, str) else value

    @field_validator("include", "alpha", mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [name.strip() for name in value.split(",") if name.strip()]
        is_names = isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
        return tuple(dict.fromkeys(value)) if is_names else value

    @model_validator(mode="after")
    def _check_alpha(self) -> "ConvertJob":
        if len(self.alpha) > self.variants:
            raise ValueError(
                f"alpha names {len(self.alpha)} looks, {', '.join(self.alpha)}, and variants is {self.variants}: "
                f"name fewer looks, or make {len(self.alpha)} variants"
            )
        return self

    @model_validator(mode="after")
    def _check_splits(self) -> "ConvertJob":
        if self.split is not None and self.split_by is not None:
            raise ValueError(f"split {self.split} and split_by {self.split_by}: give one of them")
        return self

    @property
    def dump_options(self) -> dict[str, Any]:
        """What the job states about the dump: keyword arguments of ``simulators.discover``."""
        return {name: getattr(self, name) for name in DUMP_OPTIONS}

    def describe_limits(self) -> dict[str, Any]:
        """Limits that differ from the defaults: what was converted regardless."""
        limits = {name: getattr(self, name) for name in _LIMITS}
        return {name: value for name, value in limits.items() if value != type(self).model_fields[name].default}

    def describe_content(self) -> dict[str, Any]:
        """The fields that decide what is written, JSON-like, for manifests and cards."""
        return self.model_dump(mode="json", exclude=set(_OPERATIONAL_FIELDS))


def read_job_yaml(path: str | Path) -> dict[str, Any]:
    """The keys and values of a job file, environment variables and date filled in.

    Raises:
        ConfigError: the file cannot be read, or an environment variable is missing.
    """
    content = fill_in(read_yaml(path), os.environ, time.strftime("%Y-%m-%d"), str(path))
    assert isinstance(content, dict)
    return content


def build_job(fields: Mapping[str, Any]) -> ConvertJob:
    """A job from flags or keyword arguments.

    Raises:
        ConfigError: a value cannot mean anything.
    """
    return decode_config(ConvertJob, fields, where="job")
