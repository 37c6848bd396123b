"""The description of a network file for use as judge or feature extractor: a small YAML beside it, or flags.

A judge is described like this, in ``judge.yaml`` or in ``<file>.yaml`` beside the file::

    file: espnetv2_cityscapes.torchscript.pt
    name: espnetv2_cityscapes
    size_px: 1024x512
    input_range: 0..255
    label_space: cityscapes19
    sha256: 6a26229242de…
"""

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sflow_pipeline.config.decode import parse_size

InputRange = Literal["0..255", "0..1", "-1..1", "imagenet"]
FilterName = Literal["antialias_bilinear", "bilinear", "area"]
#: ``program``: TorchScript or ONNX; ``bundle`` and ``bundle_features``: classes and features of a bundle's segmenter;
#: else weights of a network known by name.
KindName = Literal["program", "bundle", "bundle_features", "perceptual", "inception"]
_SUFFIX = re.compile(r"(\.torchscript)?\.(pt|pth|ts|onnx|safetensors)$")


class NetworkSpec(BaseModel):
    """A network file and its input."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(description="TorchScript or ONNX file, or weights; in a YAML, relative to it")
    kind: KindName = Field(default="program", description="found from the file")
    name: str = Field(default="", description="in tables; the file's stem")
    sha256: str | None = Field(default=None, description="refuse a file with another digest")
    size_px: tuple[int, int] | None = Field(description="input width and height, as WxH; null: each photo's own")
    input_range: InputRange = Field(default="0..255", description="of its RGB input; imagenet: mean and std removed")
    filter: FilterName = Field(default="antialias_bilinear", description="how photos are brought to size_px")
    label_space: str | None = Field(default=None, description="label space of the output channels of a segmenter")
    source: str = Field(default="", description="origin, for reports")

    @field_validator("size_px", mode="before")
    @classmethod
    def _split_size(cls, value: Any) -> Any:
        if isinstance(value, str):
            return parse_size(value)
        return value

    def with_name(self) -> "NetworkSpec":
        """Itself, named after its file where it has no name."""
        return self if self.name else self.model_copy(update={"name": _SUFFIX.sub("", Path(self.file).name)})

    def describe(self, digest: str) -> dict[str, Any]:
        """For reports: ``digest`` is the sha256 of its file."""
        return {
            "name": self.name,
            "kind": self.kind,
            "sha256": digest,
            "input_px": f"{self.size_px[0]}x{self.size_px[1]}" if self.size_px else "each picture's own",
            "input_range": self.input_range,
            "filter": self.filter,
            "source": self.source,
        }
