"""Job files: one conversion, or a chain of steps before and after it."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from sflow_pipeline.config.decode import decode_config
from sflow_pipeline.config.job import ConvertJob, read_job_yaml
from sflow_pipeline.config.section import Section
from sflow_pipeline.errors import ConfigError

StepKind = Literal["command", "simulate", "convert", "verify", "export"]
#: Names of ``export.formats.FORMATS``, so that a wrong one is found before the conversion.
ExportFormat = Literal["cityscapes", "png", "webdataset", "coco", "yolo", "yolo-seg", "kitti", "fiftyone", "mp4"]


class SimulateStep(Section):
    """Render sample streets with the built-in simulator."""

    out: str = Field(min_length=1, description="folder of the dump")
    sequences: int = Field(1, ge=1, description="number of streets")
    frames: int = Field(20, ge=1, description="frames of each street")
    size: str = Field("512x256", description="width x height in pixels")
    seed: int = Field(0, ge=0, description="random seed of the streets")
    look: Literal["cg", "camera"] = Field("cg", description="cg: flat and clean; camera: textures, light and lens")


class VerifyStep(Section):
    """Check a dataset."""

    out_dir: str | None = Field(None, description="the dataset; null is that of the last convert step")
    source: str | None = Field(None, description="folder of the dump, if it was moved")


class ExportStep(Section):
    """Write a dataset in the layout of another tool."""

    dest: str = Field(min_length=1, description="folder to write")
    to: ExportFormat = Field(description="layout")
    out_dir: str | None = Field(None, description="the dataset; null is that of the last convert step")
    split: list[str] | None = Field(None, description="these splits only")
    variant: list[int] | None = Field(None, description="these variants only")
    split_by: str | None = Field(None, pattern=r"^\S+ +\S+$", description="new splits, such as sequence 0.8/0.2")
    allow_empty: bool = Field(False, description="export formats of objects although no row holds one")


class Step(Section):
    """One step of a chain: exactly one of its fields."""

    command: str | list[str] | None = Field(
        None, description="a program and its arguments, run without a shell; for pipes: [sh, -c, '…']"
    )
    simulate: SimulateStep | None = Field(None, description="render sample streets with the built-in simulator")
    convert: ConvertJob | None = Field(None, description="convert a dump")
    verify: VerifyStep | None = Field(None, description="check a dataset")
    export: ExportStep | None = Field(None, description="write a dataset in the layout of another tool")

    @field_validator("command")
    @classmethod
    def _check_command(cls, value: str | list[str] | None) -> str | list[str] | None:
        if value is not None and not (shlex.split(value) if isinstance(value, str) else value):
            raise ValueError("must name a program and its arguments")
        return value

    @field_validator("verify", mode="before")
    @classmethod
    def _accept_nothing(cls, value: Any) -> Any:
        """``verify:`` alone checks the last dataset."""
        return {} if value is None else value

    @model_validator(mode="after")
    def _check_one(self) -> "Step":
        if len(self.model_fields_set) != 1:
            raise ValueError(f"a step has exactly one of {', '.join(Step.model_fields)}")
        if getattr(self, self.kind) is None:
            raise ValueError(f"{self.kind} is empty")
        return self

    @property
    def kind(self) -> StepKind:
        """What the step does."""
        (kind,) = self.model_fields_set
        return kind  # type: ignore[return-value]

    @property
    def arguments(self) -> list[str]:
        """Program and arguments of a command."""
        return shlex.split(self.command) if isinstance(self.command, str) else list(self.command or [])


class Chain(Section):
    """A job file: its steps in order; the first that fails ends it."""

    steps: tuple[Step, ...] = Field(
        description="steps in order; the first that fails ends the job", json_schema_extra={"minItems": 1}
    )

    @model_validator(mode="after")
    def _check_datasets(self) -> "Chain":
        """There is a step, and those without an ``out_dir`` have a conversion before them."""
        if not self.steps:
            raise ValueError("steps: must have one step or more")
        has_dataset = False
        for number, step in enumerate(self.steps, start=1):
            has_dataset = has_dataset or step.convert is not None
            settings = step.verify or step.export
            if settings is not None and settings.out_dir is None and not has_dataset:
                raise ValueError(f"step {number}, {step.kind}: no convert step before it, so it needs out_dir")
        return self


def load_job_file(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Chain:
    """Read a job file: the keys of one conversion, or ``steps``.

    Relative folders are relative to where the command runs, as they are on the command line.

    Args:
        path: of the YAML file.
        overrides: keys of conversions and their values, which win; ``export.to`` and the like are those of other steps.

    Raises:
        ConfigError: the file cannot be read, keys or values are wrong, or an environment variable is missing.
    """
    content = read_job_yaml(path)
    if "steps" not in content:
        job = decode_config(ConvertJob, {**content, **(overrides or {})}, where=str(path))
        return Chain(steps=(Step(convert=job),))
    for dotted, value in (overrides or {}).items():
        kind, _, key = dotted.rpartition(".")
        _override(content["steps"], kind or "convert", key, value, f"--set {dotted}")
    return decode_config(Chain, content, where=str(path))


def _override(steps: Any, kind: str, key: str, value: Any, where: str) -> None:
    found = False
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, dict) and kind in step and kind != "command":
            found = True
            if isinstance(step[kind], dict | None):  # all else is refused when the steps are decoded
                step[kind] = {**(step[kind] or {}), key: value}
    if not found:
        raise ConfigError(f"{where}: the job has no step {kind}", hint="name a key of one of its steps: export.to=coco")
