"""What must be known of a network file to use it as judge or feature extractor: a small YAML beside it, or flags.

A judge is described like this, in ``judge.yaml`` or in ``<file>.yaml`` beside the file::

    file: espnetv2_cityscapes.torchscript.pt
    name: espnetv2_cityscapes
    size_px: 1024x512
    input_range: 0..255
    label_space: cityscapes19
    sha256: 6a26229242de…
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sflow_pipeline.config.decode import decode_config, parse_size, read_yaml
from sflow_pipeline.errors import UsageError

InputRange = Literal["0..255", "0..1", "-1..1", "imagenet"]
FilterName = Literal["antialias_bilinear", "bilinear", "area"]
#: How FID feeds Inception-v3 in PyTorch.
_INCEPTION_INPUT = {"size_px": "299x299", "input_range": "-1..1", "filter": "bilinear", "name": "inception_v3"}
_SUFFIX = re.compile(r"(\.torchscript)?\.(pt|pth|ts|onnx|safetensors)$")


class NetworkSpec(BaseModel):
    """A network file and how to feed it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(description="TorchScript or ONNX file; in a YAML, relative to it")
    name: str = Field(default="", description="what tables call it; the file's stem")
    sha256: str | None = Field(default=None, description="refuse a file with another digest")
    size_px: tuple[int, int] | None = Field(description="input width and height, as WxH; null: each photo's own")
    input_range: InputRange = Field(default="0..255", description="of its RGB input; imagenet: mean and std removed")
    filter: FilterName = Field(default="antialias_bilinear", description="how photos are brought to size_px")
    label_space: str | None = Field(default=None, description="judges: its output channels are the classes of this one")
    source: str = Field(default="", description="where it comes from, for reports")

    @field_validator("size_px", mode="before")
    @classmethod
    def _split_size(cls, value: Any) -> Any:
        if isinstance(value, str):
            return parse_size(value)
        return value

    @property
    def holds_weights_alone(self) -> bool:
        """Whether it is no program: an extractor is then one of the networks known here, a judge a bundle's."""
        return self.file.endswith(".safetensors")

    def with_name(self) -> "NetworkSpec":
        """Itself, named after its file where it has no name."""
        return self if self.name else self.model_copy(update={"name": _SUFFIX.sub("", Path(self.file).name)})


def load_network_spec(path: str | Path, overrides: Mapping[str, Any] | None = None, *, what: str) -> NetworkSpec:
    """The description of a network: from a YAML (the file itself, or ``<file>.yaml`` beside it) and overrides.

    Args:
        path: the network file, or its YAML; for a judge a bundle's folder, too, whose segmenter is meant.
        overrides: fields given as flags; they win.
        what: ``judge`` or ``extractor``, for errors.

    Raises:
        UsageError: the file does not exist, or the bundle has no segmenter.
        BundleError: the folder holds no bundle.
        ConfigError: something must be known and is not, or a value is wrong.
    """
    target = Path(path).expanduser()
    if what == "judge" and (target.is_dir() or target.suffix == ".safetensors"):
        from sflow_pipeline.evaluation.reference_networks.bundle_segmenter import (
            SEGMENTER_FILE,
            describe_bundle_segmenter,
        )

        if not target.is_dir() and target.name != SEGMENTER_FILE:
            raise UsageError(
                f"--judge {path}: weights without a network", hint="give the bundle's folder, whose segmenter is meant"
            )
        segmenter = describe_bundle_segmenter(target if target.is_dir() else target.parent)
        return decode_config(NetworkSpec, segmenter | dict(overrides or {}), where=str(path))
    if not target.is_file():
        raise UsageError(
            f"--{what} {path}: no such file",
            hint="give a TorchScript or ONNX file, a YAML that names one, or for a judge a bundle's folder",
        )
    content: dict[str, Any] = {}
    folder = target.parent
    described = target if target.suffix in (".yaml", ".yml") else target.with_name(f"{target.name}.yaml")
    if described.is_file():
        content = read_yaml(described)
    if described != target:
        content["file"] = target.name
    if what == "extractor" and str(content.get("file", "")).endswith(".safetensors"):
        from sflow_pipeline.evaluation.reference_networks.perceptual_features import describe_perceptual_file

        content = {**(describe_perceptual_file(folder / str(content["file"])) or _INCEPTION_INPUT), **content}
    content.update(overrides or {})
    if "size_px" not in content:
        raise UsageError(
            f"--{what} {path}: its input size is not known",
            hint=f"add --{what}-size WxH, or `size_px: WxH` in {described}",
        )
    spec = decode_config(NetworkSpec, content, where=str(described if described.is_file() else path))
    return spec.model_copy(update={"file": str(folder / spec.file)}).with_name()
