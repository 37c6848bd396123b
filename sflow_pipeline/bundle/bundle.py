"""A bundle: generator, DNED, segmenter and what a user must know of them; safetensors and YAML, never pickle."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel

from sflow_pipeline.bundle.metadata import FORMAT_VERSION, BundleMetadata, SegmenterScores
from sflow_pipeline.config.decode import decode_config, read_yaml
from sflow_pipeline.config.job import AlphaName
from sflow_pipeline.config.recipe import Recipe, SegmenterRecipe, load_recipe
from sflow_pipeline.errors import BundleError, ConfigError
from sflow_pipeline.label_spaces import LabelSpace, load_label_space
from sflow_pipeline.storage.write_whole import write_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from sflow_pipeline.bundle.array_painter import ArrayPainter

#: The bundle that converts when none is named.
DEFAULT_BUNDLE = "sflow"
_PACKAGE = Path(__file__).resolve().parent.parent
#: Where named bundles are: a clone's ``models/``, or the copy inside an installed wheel.
_PLACES = (_PACKAGE.parent / "models", _PACKAGE / "_models")
#: The recipe's fields that change pixels for given weights; how they were trained is in the weights.
_PAINTS: dict[str, Any] = {"edges": {"threshold"}, "dned": {"widths", "alpha_concentration"}, "generator": True}
#: The recipe's fields that the header of the weights leaves out.
_NOT_IN_WEIGHTS = {"segmenter", "version", "training_data", "licence"}


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk; its weights are read when asked for, or carried along (``with_weights``).

    ``digest`` is a sha256 over everything that changes pixels: the weights and the architecture of DNED and generator,
    the edge threshold and the label space. The segmenter paints nothing, so with or without it the digest is the same.
    """

    path: Path
    metadata: BundleMetadata
    recipe: Recipe
    label_space: LabelSpace
    digest: str
    weights: "dict[str, dict[str, Tensor]] | None" = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.metadata.name

    def paint(
        self,
        render: "NDArray[np.uint8]",
        label_map: "NDArray[np.integer[Any]]",
        *,
        label_space: str | Path | LabelSpace | None = None,
        instance_map: "NDArray[np.integer[Any]] | None" = None,
        appearance: float = 1.0,
        photo_colors: float = 0.2,
        palette: Literal["typical", "drawn"] | int = "typical",
        alpha: "AlphaName | Literal['drawn'] | ArrayLike" = "even",
        seed: int = 0,
        device: str = "auto",
        precision: str = "auto",
    ) -> "NDArray[np.uint8]":
        """Convert one frame, or several, in memory.

        The first call on a device loads the networks; later calls reuse them, so it can run in a simulator's loop.
        A frame gets the same image alone and among others; on a GPU up to rounding.

        Args:
            render: (h, w, 3) or (n, h, w, 3) uint8 RGB from the simulator.
            label_map: (h, w) or (n, h, w) class ids, any integer type.
            label_space: what the ids mean: a name, a YAML file or a ``LabelSpace``; the bundle's own by default.
            instance_map: like ``label_map``, numbers that tell objects apart; needed by bundles that were trained with
                instances, ignored by others.
            appearance: how far the image follows the render's colours, light and detail, 0 (its edges alone) to 1;
                ignored by bundles without an appearance map, which use the edges alone.
            photo_colors: how far class colours are moved from the render's to the palette's, 0 to 1.
            palette: colours of the classes: ``typical``, ``drawn`` (by ``seed``), or a palette's number in the bundle.
            alpha: edges: ``even``, ``crisp``, ``soft``, ``broad``, ``drawn`` (by ``seed``), or (5,) weights.
            seed: decides what is drawn.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            precision: ``auto``, ``fp32`` or ``bf16``.

        Returns:
            uint8 RGB of the shape of ``render``.

        Raises:
            UsageError: an array has another dtype, shape or range, an option another value, or there is no such device.
            LabelSpaceError: there is no such label space, or it lacks ids of the label map.
            FrameError: the bundle needs an instance map, and none is given.
            BundleError: the weights are damaged.

        >>> import numpy as np
        >>> render = np.zeros((64, 96, 3), np.uint8)
        >>> label_map = np.zeros((64, 96), np.uint8)
        >>> load_bundle("sflow").paint(render, label_map, label_space="carla-0.9.14", device="cpu").shape
        (64, 96, 3)
        """
        from sflow_pipeline.bundle.array_painter import ArrayPainter

        key = (device, precision)
        if key not in self._painters:
            self._painters[key] = ArrayPainter(self, device, precision)
        return self._painters[key].paint(
            render,
            label_map,
            label_space=label_space,
            instance_map=instance_map,
            appearance=appearance,
            photo_colors=photo_colors,
            palette=palette,
            alpha=alpha,
            seed=seed,
        )

    @cached_property
    def _painters(self) -> "dict[tuple[str, str], ArrayPainter]":
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: networks that ``paint`` has loaded stay in this process."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def read_weights(self) -> "dict[str, dict[str, Tensor]]":
        """Network name → state dict, float32; BundleError where the file is not what the metadata says."""
        if self.weights is not None:
            return self.weights
        networks: dict[str, dict[str, Tensor]] = {}
        for key, value in self._read_tensors("weights.safetensors", self.metadata.weights_sha256).items():
            network, _, name = key.partition("/")
            networks.setdefault(network, {})[name] = value
        return networks

    def with_weights(self) -> "Bundle":
        """The same bundle with its weights in memory, for workers that do not share a disk with the driver.

        Raises:
            BundleError: they are damaged.
        """
        return replace(self, weights=self.read_weights())

    def read_segmenter(self) -> "dict[str, Tensor] | None":
        """The segmenter's state dict, float32; None where the bundle has none, BundleError where it is damaged."""
        if self.metadata.segmenter_sha256 is None:
            return None
        tensors = self._read_tensors("segmenter.safetensors", self.metadata.segmenter_sha256)
        return {key.removeprefix("segmenter/"): value for key, value in tensors.items()}

    def _read_tensors(self, file: str, sha256: str) -> "dict[str, Tensor]":
        from safetensors.torch import load

        try:
            data = (self.path / file).read_bytes()
        except OSError as error:
            raise BundleError(
                f"bundle {self.path}: {file} cannot be read ({error.strerror})",
                hint="restore the file, or name another bundle with --bundle",
            ) from error
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise BundleError(
                f"bundle {self.path}: {file} has sha256 {found[:12]}…, bundle.yaml says {sha256[:12]}…",
                hint="the file is damaged or from another version: restore the whole folder",
            )
        return {key: value.float() for key, value in load(data).items()}


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
        "recipe": recipe.model_dump(mode="json", include=_PAINTS),
        "labels": label_space.digest,
    }
    digest = hashlib.sha256(json.dumps(pixels, sort_keys=True).encode()).hexdigest()
    return Bundle(path, metadata, recipe, label_space, digest)


def save_bundle(
    path: Path, recipe: Recipe, networks: "Mapping[str, Mapping[str, Tensor]]", details: Mapping[str, Any]
) -> Bundle:
    """Write a bundle folder: float16 weights with the metadata in their header, ``recipe.yaml``, ``bundle.yaml``.

    Args:
        networks: state dicts by network name (``generator``, ``dned``).
        details: further ``BundleMetadata`` fields; ``version`` is required.
    """
    label_space = load_label_space(recipe.label_space)
    # The bytes of the weights depend on these networks alone, not on the segmenter or on notes for people.
    data = _pack_weights(recipe.model_dump(mode="json", exclude=_NOT_IN_WEIGHTS), networks)
    fields = {"name": recipe.name, "description": recipe.description} | dict(details)
    metadata = BundleMetadata(
        label_space=recipe.label_space,
        label_space_digest=label_space.digest,
        weights_sha256=hashlib.sha256(data).hexdigest(),
        **fields,
    )
    path.mkdir(parents=True, exist_ok=True)
    write_whole(path / "weights.safetensors", data)
    write_whole(path / "recipe.yaml", _to_yaml(recipe))
    write_whole(path / "bundle.yaml", _to_yaml(metadata))
    (path / "segmenter.safetensors").unlink(missing_ok=True)
    return load_bundle(path)


def add_segmenter(
    bundle: Bundle, recipe: SegmenterRecipe, state: "Mapping[str, Tensor]", scores: SegmenterScores
) -> Bundle:
    """Put a segmenter into a bundle, or another in its place; nothing that paints is touched.

    Args:
        scores: how good it is on held-out photos, for ``metrics.segmenter`` of ``bundle.yaml``.
    """
    whole = bundle.recipe.model_copy(update={"segmenter": recipe})
    data = _pack_weights(whole.model_dump(mode="json"), {"segmenter": state})
    metadata = bundle.metadata.model_copy(
        update={
            "segmenter_sha256": hashlib.sha256(data).hexdigest(),
            "metrics": bundle.metadata.metrics.model_copy(update={"segmenter": scores}),
        }
    )
    write_whole(bundle.path / "segmenter.safetensors", data)
    write_whole(bundle.path / "recipe.yaml", _to_yaml(whole))
    write_whole(bundle.path / "bundle.yaml", _to_yaml(metadata))
    return load_bundle(bundle.path)


def _pack_weights(recipe: dict[str, Any], networks: "Mapping[str, Mapping[str, Tensor]]") -> bytes:
    """A safetensors file of float16 weights under ``network/name``, with the recipe in its header."""
    import torch
    from safetensors.torch import save

    tensors = {
        f"{network}/{key}": value.detach().to("cpu", torch.float16).contiguous()
        for network, state in networks.items()
        for key, value in state.items()
    }
    header = {"format": f"sflow-pipeline bundle {FORMAT_VERSION}", "recipe": recipe}
    # One metadata entry only: safetensors writes several in any order, and the same bundle must have the same bytes.
    return save(tensors, metadata={"sflow_pipeline": json.dumps(header)})


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
        details: dict[str, Any] = {"version": "0", "training_data": "none: random weights"}
        if recipe.generator.use_palette:
            classes = load_label_space(recipe.label_space).num_classes
            networks["palettes"] = {"rgb": 2 * torch.rand(4, classes, 3) - 1}
            details["palettes"] = 4
    return save_bundle(path, recipe, networks, details)


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
