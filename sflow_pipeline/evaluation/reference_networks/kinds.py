"""Kinds of network files: each recognises its own files, states how they are fed, and loads them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from sflow_pipeline.config.decode import decode_config, read_yaml
from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.reference_networks import (
    bundle_features,
    bundle_segmenter,
    inception_weights,
    perceptual_weights,
    program_file,
)
from sflow_pipeline.evaluation.reference_networks.digest import check_digest
from sflow_pipeline.evaluation.reference_networks.program_file import Network
from sflow_pipeline.evaluation.reference_networks.spec import KindName, NetworkSpec

Purpose = Literal["judge", "extractor"]


class NetworkKind(Protocol):
    """A module that handles one kind of network file."""

    @property
    def PURPOSES(self) -> tuple[str, ...]:  # noqa: N802  a constant of a module
        """What its networks can be used as."""

    def describe(self, path: Path) -> dict[str, Any] | None:
        """Fields of a ``NetworkSpec`` that follow from the file or folder; None if it is of another kind."""

    def load(self, spec: NetworkSpec, device: str) -> Network:
        """The network: (b, 3, h, w) batches, sized and scaled as ``spec`` says, to features or class scores."""


#: The first that recognises a file and serves the purpose handles it.
KINDS: Mapping[KindName, NetworkKind] = {
    "bundle": bundle_segmenter,
    "bundle_features": bundle_features,
    "perceptual": perceptual_weights,
    "inception": inception_weights,
    "program": program_file,
}


def load_network(spec: NetworkSpec, device: str) -> tuple[Network, str]:
    """The network, and the sha256 of its file.

    Raises:
        UsageError: the file is missing, has another digest than expected, or is no such network.
        MissingExtraError: ONNX, and OpenVINO is not installed.
    """
    digest = check_digest(spec)
    return KINDS[spec.kind].load(spec, device), digest


def load_network_spec(path: str | Path, overrides: Mapping[str, Any] | None = None, *, what: Purpose) -> NetworkSpec:
    """The description of a network: from the file, its YAML (itself, or ``<file>.yaml`` beside it), and overrides.

    Args:
        path: the network file, its YAML, or a bundle's folder, whose segmenter is meant.
        overrides: fields given as flags; they win.
        what: the network's purpose.

    Raises:
        UsageError: the file does not exist or cannot serve the purpose, or the bundle has no segmenter.
        BundleError: the folder holds no bundle.
        ConfigError: a necessary field is missing, or a value is wrong.
    """
    target = Path(path).expanduser()
    if not (target.is_file() or target.is_dir()):
        raise UsageError(
            f"--{what} {path}: no such file",
            hint="give a TorchScript or ONNX file, a YAML that names one, or a bundle's folder",
        )
    content: dict[str, Any] = {}
    described = target if target.suffix in (".yaml", ".yml") else target.with_name(f"{target.name}.yaml")
    if described.is_file():
        content = read_yaml(described)
    file = target
    if described == target and "file" in content:
        file = target.parent / str(content["file"])
    content = {**_describe(file, what), **content, **(overrides or {})}
    if described != target:
        content["file"] = content.get("file") or target.name
    if "size_px" not in content and content.keys() <= NetworkSpec.model_fields.keys():
        raise UsageError(
            f"--{what} {path}: its input size is not known",
            hint=f"add --{what}-size WxH, or `size_px: WxH` in {described}",
        )
    spec = decode_config(NetworkSpec, content, where=str(described if described.is_file() else path))
    return spec.model_copy(update={"file": str(target.parent / spec.file)}).with_name()


def _describe(file: Path, what: Purpose) -> dict[str, Any]:
    for name, kind in KINDS.items():
        if what not in kind.PURPOSES:
            continue
        fields = kind.describe(file)
        if fields is not None:
            return {"kind": name, **fields}
    raise UsageError(
        f"--{what} {file}: weights without a network that can be a{'n' if what == 'extractor' else ''} {what}",
        hint="give a TorchScript or ONNX file, or a bundle's folder",
    )
