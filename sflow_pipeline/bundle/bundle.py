"""Bundle: weights of generator, DNED and segmenter with their metadata; safetensors and YAML, never pickle."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sflow_pipeline.bundle.metadata import BUNDLE_FORMAT_VERSION, BundleMetadata
from sflow_pipeline.config.decode import decode_config, read_yaml
from sflow_pipeline.config.field_types import AlphaName
from sflow_pipeline.config.recipe import Recipe, load_recipe
from sflow_pipeline.errors import BundleError, ConfigError, first_line
from sflow_pipeline.label_spaces import LabelSpace, load_label_space
from sflow_pipeline.nearest_name import suggest_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from sflow_pipeline.bundle.array_painter import ArrayPainter

#: The bundle that converts when none is named.
DEFAULT_BUNDLE = "sflow"
#: Folder in a bundle that holds its ``palette_bundle``.
PALETTE_FOLDER = "palette"
_PACKAGE = Path(__file__).resolve().parent.parent
#: Where named bundles are: a clone's ``models/``, or the copy inside an installed wheel.
_PLACES = (_PACKAGE.parent / "models", _PACKAGE / "_models")
#: The recipe's fields that change pixels for given weights; how they were trained is in the weights.
_PAINTS: dict[str, Any] = {"edges": {"threshold"}, "dned": {"widths", "alpha_concentration"}, "generator": True}


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk; its weights are read when asked for, or carried along (``with_weights``).

    ``digest`` is a sha256 over everything that changes pixels: the weights and the architecture of DNED and generator,
    the edge threshold and the label space. The segmenter paints nothing, so with or without it the digest is the same.

    ``palette_bundle`` paints instead of this bundle where images follow labels and edges alone; None where one set of
    weights does both. It is in the folder ``palette``.
    """

    path: Path
    metadata: BundleMetadata
    recipe: Recipe
    label_space: LabelSpace
    digest: str
    weights: "dict[str, dict[str, Tensor]] | None" = field(default=None, repr=False, compare=False)
    palette_bundle: "Bundle | None" = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def for_labels_alone(self) -> "Bundle":
        """The bundle that paints images from labels and edges alone: ``palette_bundle``, or this one."""
        return self.palette_bundle or self

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
        previous: "tuple[NDArray[np.uint8], NDArray[np.uint8]] | None" = None,
        device: str = "auto",
        precision: str = "auto",
    ) -> "NDArray[np.uint8]":
        """Convert one frame, or several, in memory.

        The first call on a device loads the networks; later calls reuse them, so it can run in a simulator's loop.
        A frame gets the same image alone and among others; on a GPU up to rounding. A bundle that was trained with
        ``generator.use_previous`` takes several frames for a sequence, and paints each from the image before.

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
            previous: the render before ``render`` and the image that was made of it, (h, w, 3) uint8 each, for a bundle
                that paints from the image before; without it ``render`` is the first frame of a sequence.
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
            previous=previous,
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
        palette_bundle = self.palette_bundle and self.palette_bundle.with_weights()
        return replace(self, weights=self.read_weights(), palette_bundle=palette_bundle)

    def read_segmenter(self) -> "dict[str, Tensor] | None":
        """The segmenter's state dict, float32; None where the bundle has none, BundleError where it is damaged."""
        if self.metadata.segmenter_sha256 is None:
            return None
        tensors = self._read_tensors("segmenter.safetensors", self.metadata.segmenter_sha256)
        return {key.removeprefix("segmenter/"): value for key, value in tensors.items()}

    def _read_tensors(self, file: str, sha256: str) -> "dict[str, Tensor]":
        from safetensors import SafetensorError
        from safetensors.torch import load

        from sflow_pipeline.bundle.weights_precision import unpack_weights

        try:
            data = (self.path / file).read_bytes()
        except OSError as error:
            raise BundleError(
                f"bundle {self.path}: {file} cannot be read ({error.strerror})",
                hint="restore the file, or name another bundle with --bundle",
            ) from error
        digest = hashlib.sha256(data).hexdigest()
        if digest != sha256:
            raise BundleError(
                f"bundle {self.path}: {file} has sha256 {digest[:12]}…, bundle.yaml says {sha256[:12]}…",
                hint="the file is damaged or from another version: restore the whole folder",
            )
        try:
            return unpack_weights(load(data))
        except (SafetensorError, ValueError, KeyError, RuntimeError, MemoryError) as error:
            raise BundleError(
                f"bundle {self.path}: {file} is no safetensors file ({first_line(error)})",
                hint="restore the whole folder, or export the bundle again with train",
            ) from error


def load_bundle(name_or_path: str | Path | None = None) -> Bundle:
    """Find a bundle by name (``models/<name>``) or by path; None is the default bundle.

    Raises:
        BundleError: not found, malformed, or of a newer format; names the folders that were searched.
    """
    return _load_folder(find_model(str(name_or_path or DEFAULT_BUNDLE), "bundle.yaml"))


def _load_folder(path: Path, *, is_palette: bool = False) -> Bundle:
    try:
        content = read_yaml(path / "bundle.yaml")
        _check_format(path, content)
        metadata = decode_config(BundleMetadata, content, where=str(path / "bundle.yaml"))
        recipe = load_recipe(path)
    except ConfigError as error:
        raise BundleError(f"bundle {error}", hint="restore the folder, or export it again with train") from error
    label_space = load_label_space(metadata.label_space)
    if label_space.digest != metadata.label_space_digest:
        raise BundleError(
            f"bundle {path}: trained on label space {metadata.label_space} with another table than the one installed",
            hint="use the sflow-pipeline version the bundle was made with, or retrain",
        )
    paints = recipe.model_dump(mode="json", include=_PAINTS)
    if recipe.generator.upsampling == "nearest":  # bundles older than this field keep their digest
        del paints["generator"]["upsampling"]
    if not recipe.generator.use_previous:
        del paints["generator"]["use_previous"]
    pixels = {
        "weights": metadata.weights_sha256,
        "recipe": paints,
        "labels": label_space.digest,
    }
    palette_bundle = None if is_palette else _load_palette_bundle(path, metadata)
    if palette_bundle is not None:
        pixels["palette"] = palette_bundle.digest
    digest = hashlib.sha256(json.dumps(pixels, sort_keys=True).encode()).hexdigest()
    return Bundle(path, metadata, recipe, label_space, digest, palette_bundle=palette_bundle)


def _check_format(path: Path, content: Mapping[str, Any]) -> None:
    """Before the keys are checked, of which a newer format may have others."""
    version = str(content.get("format_version"))
    if version.isdecimal() and int(version) > BUNDLE_FORMAT_VERSION:
        raise BundleError(
            f"bundle {path}: format {version} is newer than {BUNDLE_FORMAT_VERSION}, the newest this version reads",
            hint="upgrade sflow-pipeline",
        )


def _load_palette_bundle(path: Path, metadata: BundleMetadata) -> Bundle | None:
    if metadata.palette_digest is None:
        return None
    folder = path / PALETTE_FOLDER
    if not (folder / "bundle.yaml").is_file():
        raise BundleError(
            f"bundle {path}: {PALETTE_FOLDER}/bundle.yaml is missing, which images from labels alone need",
            hint="restore the whole folder",
        )
    bundle = _load_folder(folder, is_palette=True)
    if bundle.digest != metadata.palette_digest or bundle.label_space.name != metadata.label_space:
        raise BundleError(
            f"bundle {folder}: digest {bundle.digest[:12]}…, the bundle around it says {metadata.palette_digest[:12]}…",
            hint="the folder is from another version: restore the whole bundle",
        )
    return bundle


def find_model(name: str, file: str) -> Path:
    """The folder under ``models/`` (or anywhere, where ``name`` is a path) that holds ``file``.

    Raises:
        BundleError: none does; names the folders that were searched and the existing bundles.
    """
    here = [Path(name)] if os.sep in name or Path(name).is_dir() else []
    candidates = here if os.sep in name else [*here, *(place / name for place in _PLACES)]
    for path in candidates:
        if (path / file).is_file():
            return path
    looked = ", ".join(str(c) for c in candidates)
    hint = suggest_name(name, _list_models(file))
    raise BundleError(
        f"model {name!r}: no {file} in {looked}", hint=f"{hint}; or give the path of a folder with {file}"
    )


def list_bundles() -> list[str]:
    """Names of the bundles under ``models/``."""
    return _list_models("bundle.yaml")


def _list_models(file: str) -> list[str]:
    return sorted({path.parent.name for place in _PLACES for path in place.glob(f"*/{file}")})
