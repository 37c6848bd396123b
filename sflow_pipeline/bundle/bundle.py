"""A bundle: generator, DNED and what a user must know of them, as safetensors and YAML, never pickle."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict

from sflow_pipeline.config.decode import decode_config, read_yaml
from sflow_pipeline.config.recipe import Recipe, load_recipe
from sflow_pipeline.errors import BundleError, ConfigError
from sflow_pipeline.label_spaces import LabelSpace, load_label_space

if TYPE_CHECKING:
    from torch import Tensor

#: The bundle that converts when none is named.
DEFAULT_BUNDLE = "sflow"
FORMAT_VERSION = 1
_PACKAGE = Path(__file__).resolve().parent.parent
#: Where named bundles are: a clone's ``models/``, or the copy inside an installed wheel.
_PLACES = (_PACKAGE.parent / "models", _PACKAGE / "_models")


class BundleMetadata(BaseModel):
    """``bundle.yaml``: what a person or another program should know before using the weights."""

    model_config = ConfigDict(extra="forbid")

    format_version: int = FORMAT_VERSION
    name: str
    version: str
    description: str = ""
    label_space: str
    label_space_digest: str
    weights_sha256: str
    input: str = "label ids of the label space and the simulator's RGB frame, any size"
    output: str = "RGB uint8, the input's size"
    images_seen: int = 0
    training_data: str = ""
    training_data_licence: str = ""
    perceptual_network: str = "none"
    metrics: dict[str, Any] = {}
    changelog: list[str] = []


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk, weights not yet loaded.

    ``digest`` is a sha256 over everything that changes pixels: weights, recipe and label space.
    """

    path: Path
    metadata: BundleMetadata
    recipe: Recipe
    label_space: LabelSpace
    digest: str

    @property
    def name(self) -> str:
        return self.metadata.name

    def read_weights(self) -> "dict[str, dict[str, Tensor]]":
        """Network name → state dict, float32; BundleError where the file is not what the metadata says."""
        from safetensors.torch import load

        try:
            data = (self.path / "weights.safetensors").read_bytes()
        except OSError as error:
            raise BundleError(
                f"bundle {self.path}: weights.safetensors cannot be read ({error.strerror})",
                hint="restore the file, or name another bundle with --bundle",
            ) from error
        found = hashlib.sha256(data).hexdigest()
        if found != self.metadata.weights_sha256:
            raise BundleError(
                f"bundle {self.path}: weights.safetensors has sha256 {found[:12]}…, "
                f"bundle.yaml says {self.metadata.weights_sha256[:12]}…",
                hint="the file is damaged or from another version: restore the whole folder",
            )
        networks: dict[str, dict[str, Tensor]] = {}
        for key, value in load(data).items():
            network, _, name = key.partition("/")
            networks.setdefault(network, {})[name] = value.float()
        return networks


def load_bundle(name_or_path: str | Path | None = None) -> Bundle:
    """Find a bundle by name (``models/<name>``) or by path; None is the default bundle.

    Raises:
        BundleError: not found, malformed, or of a newer format; names the places that were looked at.
    """
    path = find_model(str(name_or_path or DEFAULT_BUNDLE), "bundle.yaml")
    try:
        metadata = decode_config(BundleMetadata, read_yaml(path / "bundle.yaml"), where=str(path / "bundle.yaml"))
        recipe = load_recipe(path)
    except ConfigError as error:
        raise BundleError(f"bundle {error}", hint="restore the folder, or export it again with train") from error
    if metadata.format_version > FORMAT_VERSION:
        raise BundleError(
            f"bundle {path}: format {metadata.format_version} is newer than {FORMAT_VERSION}, "
            "the newest this version reads",
            hint="upgrade sflow-pipeline",
        )
    label_space = load_label_space(metadata.label_space)
    if label_space.digest != metadata.label_space_digest:
        raise BundleError(
            f"bundle {path}: trained on label space {metadata.label_space} with another table than the one installed",
            hint="use the sflow-pipeline version the bundle was made with, or retrain",
        )
    pixels = {
        "weights": metadata.weights_sha256,
        "recipe": recipe.model_dump(mode="json"),
        "labels": label_space.digest,
    }
    digest = hashlib.sha256(json.dumps(pixels, sort_keys=True).encode()).hexdigest()
    return Bundle(path, metadata, recipe, label_space, digest)


def save_bundle(
    path: Path, recipe: Recipe, networks: "Mapping[str, Mapping[str, Tensor]]", details: Mapping[str, Any]
) -> Bundle:
    """Write a bundle folder: float16 weights with the metadata in their header, ``recipe.yaml``, ``bundle.yaml``.

    Args:
        networks: state dicts by network name (``generator``, ``dned``, optionally ``segmenter``).
        details: further ``BundleMetadata`` fields; ``version`` is required.
    """
    import torch
    from safetensors.torch import save

    tensors = {
        f"{network}/{key}": value.detach().to("cpu", torch.float16).contiguous()
        for network, state in networks.items()
        for key, value in state.items()
    }
    label_space = load_label_space(recipe.label_space)
    header = {"format": f"sflow-pipeline bundle {FORMAT_VERSION}", "recipe": recipe.model_dump(mode="json")}
    # One metadata entry only: safetensors writes several in any order, and the same bundle must have the same bytes.
    data = save(tensors, metadata={"sflow_pipeline": json.dumps(header)})
    fields = {"name": recipe.name, "description": recipe.description} | dict(details)
    metadata = BundleMetadata(
        label_space=recipe.label_space,
        label_space_digest=label_space.digest,
        weights_sha256=hashlib.sha256(data).hexdigest(),
        **fields,
    )
    path.mkdir(parents=True, exist_ok=True)
    _replace(path / "weights.safetensors", data)
    _replace(path / "recipe.yaml", _to_yaml(recipe))
    _replace(path / "bundle.yaml", _to_yaml(metadata))
    return load_bundle(path)


def build_random_bundle(path: Path, seed: int = 0, recipe: Recipe | None = None) -> Bundle:
    """A small bundle with random weights: for tests and benchmarks of everything around the model."""
    import torch

    from sflow_pipeline.networks.dned import Dned
    from sflow_pipeline.networks.generator import build_generator

    small = {"generator": {"width": 9, "blocks": 1}, "dned": {"widths": (4, 4, 4, 4, 4)}}
    recipe = recipe or Recipe.model_validate({"name": "random", **small})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator = build_generator(recipe.generator, load_label_space(recipe.label_space).num_classes)
        dned = Dned(recipe.dned.widths)
    networks = {"generator": generator.state_dict(), "dned": dned.state_dict()}
    return save_bundle(path, recipe, networks, {"version": "0", "training_data": "none: random weights"})


def find_model(name: str, file: str) -> Path:
    """The folder under ``models/`` (or anywhere, where ``name`` is a path) that holds ``file``.

    Raises:
        BundleError: none does; names the places that were looked at and the names that are known.
    """
    candidates = [Path(name)] if os.sep in name or Path(name).is_dir() else [place / name for place in _PLACES]
    for path in candidates:
        if (path / file).is_file():
            return path
    known = sorted({p.parent.name for place in _PLACES for p in place.glob(f"*/{file}")})
    looked = ", ".join(str(c) for c in candidates)
    raise BundleError(
        f"model {name!r}: no {file} in {looked}", hint=f"known: {', '.join(known) or 'none'}; or give a folder"
    )


def _to_yaml(model: BaseModel) -> bytes:
    return yaml.safe_dump(model.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110).encode()


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    os.replace(temporary, path)
