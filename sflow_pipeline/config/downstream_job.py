"""Job of ``downstream``: training sources, arms, tests and the budget that all arms share, as typed fields."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from sflow_pipeline.config.arms import Arm, parse_arm
from sflow_pipeline.config.decode import decode_config, parse_size, read_yaml
from sflow_pipeline.config.field_types import DEVICE_PATTERN
from sflow_pipeline.config.section import Section

#: How objects are told apart: ``auto`` by instance files where there are any.
Objects = Literal["auto", "regions"]

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
#: Two halvings of the smallest network's coarsest scale.
_SMALLEST_CROP_PX = 32


class SourceJob(Section):
    """Labelled pictures: a converted dataset, a simulator dump, or labelled photos."""

    path: str = Field(min_length=1, description="dataset that convert wrote, or folder in a layout that inspect reads")
    split: str | None = Field(None, description="only this split; null takes every one")
    column: Literal["image", "render"] = Field(
        "image", description="of a dataset: converted images, or the rendered frames that they were made from"
    )
    samples: str | None = Field(None, description="only samples whose id fits this pattern, such as town02-*")
    limit: int | None = Field(None, ge=1, description="the first N pictures only")
    weight: float = Field(1.0, gt=0, description="how often one of its pictures is drawn, relative to weight 1")


def _list_sources(value: Any) -> Any:
    """A path, a mapping, or a list of either, as a list of mappings."""
    items = value if isinstance(value, list | tuple) else [value]
    return [{"path": item} if isinstance(item, str) else item for item in items]


Sources = Annotated[tuple[SourceJob, ...], BeforeValidator(_list_sources), Field(min_length=1)]


class DownstreamJob(Section):
    """Train the same network on several sets of pictures, and test it on real photos.

    >>> job = DownstreamJob(
    ...     sources={"rendered": "sim", "real": {"path": "camvid", "split": "train"}},
    ...     tests={"camvid": {"path": "camvid", "split": "val"}},
    ...     arms=["rendered", "real", "real/4 + rendered"],
    ... )
    >>> job.parsed_arms[2].parts[0].every, job.test_width
    (4, 320)
    """

    sources: dict[str, Sources] = Field(min_length=1, description="named sets of training pictures")
    tests: dict[str, Sources] = Field(min_length=1, description="named sets of real photos to test on")
    arms: tuple[str, ...] = Field(min_length=1, description="what is trained on: sources, joined by + or by or")
    baseline: str = Field("rendered", description="arm that closes 0 % of the gap")
    goal: str = Field("real", description="arm that closes 100 % of the gap")
    task: Literal["segmentation", "detection"] = Field(
        "segmentation", description="segmentation: a class for every pixel; detection: boxes around objects"
    )
    objects: Objects = Field(
        "auto",
        description="of detection, auto: instance files, connected regions of a class where there is none; "
        "regions: regions everywhere",
    )
    label_space: str = Field("camvid11", description="classes that are learnt and scored")
    network: Literal["segmenter", "segformer"] = Field(
        "segmenter", description="segmenter: this package's; segformer: SegFormer of the transformers library"
    )
    width: int = Field(24, ge=8, le=256, description="channels of the network's first scale")
    steps: int = Field(3000, ge=1, description="optimiser steps of every run")
    batch_size: int = Field(8, ge=1, le=1024, description="crops that each summand of an arm adds to a step")
    crop_px: tuple[int, int] = Field((160, 128), description="size of training crops as WxH")
    frame_width_px: tuple[int, int] = Field(
        (256, 400), description="range of widths that whole pictures are scaled to before cropping"
    )
    test_width_px: int | None = Field(
        None,
        ge=_SMALLEST_CROP_PX,
        description="width of test photos in the network; null takes the middle of the range",
    )
    lr: float = Field(1e-3, gt=0, description="initial learning rate; falls to zero")
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1, description="every arm is trained once with each")
    device: str = Field("auto", pattern=DEVICE_PATTERN, description="auto, cpu, cuda or cuda:N")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="number format of the training")

    @field_validator("crop_px", mode="before")
    @classmethod
    def _parse_crop(cls, value: Any) -> Any:
        return parse_size(value) if isinstance(value, str) else value

    @field_validator("crop_px")
    @classmethod
    def _check_crop(cls, value: tuple[int, int]) -> tuple[int, int]:
        if min(value) < _SMALLEST_CROP_PX:
            raise ValueError(f"both sides must be {_SMALLEST_CROP_PX} pixels or more")
        return value

    @field_validator("frame_width_px")
    @classmethod
    def _check_range(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not _SMALLEST_CROP_PX <= value[0] <= value[1]:
            raise ValueError(f"must be two widths of {_SMALLEST_CROP_PX} or more, the smaller first")
        return value

    @field_validator("sources", "tests")
    @classmethod
    def _check_names(cls, value: dict[str, Sources]) -> dict[str, Sources]:
        wrong = [name for name in value if not _NAME.fullmatch(name) or name == "or"]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no name: small letters, digits, - and _, first a letter, and not `or`")
        return value

    @field_validator("arms")
    @classmethod
    def _check_arms(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        arms = [parse_arm(text) for text in value]
        # They are missing where they are wrong, which is an error of its own.
        sources: dict[str, Any] = info.data.get("sources") or {}
        for arm in arms:
            for part in arm.parts:
                if sources and part.source not in sources:
                    raise ValueError(
                        f"arm {arm.name!r} names {part.source}, and the sources are {', '.join(sources)}: add "
                        f"`{part.source}:` below sources, or leave the arm out"
                    )
        return tuple(dict.fromkeys(arm.name for arm in arms))

    @field_validator("seeds")
    @classmethod
    def _check_seeds(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value) or min(value) < 0:
            raise ValueError("seeds must be different numbers of 0 or more")
        return value

    @property
    def parsed_arms(self) -> tuple[Arm, ...]:
        """The arms in their order."""
        return tuple(parse_arm(text) for text in self.arms)

    @property
    def test_width(self) -> int:
        """Width of test photos in the network, in pixels."""
        return self.test_width_px or round(math.sqrt(self.frame_width_px[0] * self.frame_width_px[1]))


def load_downstream_job(path: str | Path, overrides: Mapping[str, Any] | None = None) -> DownstreamJob:
    """Read a job from YAML; ``overrides`` win. Relative paths are relative to where the command runs.

    Raises:
        ConfigError: the file cannot be read, or keys or values are wrong.
    """
    return decode_config(DownstreamJob, {**read_yaml(path), **(overrides or {})}, where=str(path))
