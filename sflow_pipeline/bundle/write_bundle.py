"""Writing of bundles: a trained one, its segmenter, and a random one for tests."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel

from sflow_pipeline.bundle.bundle import PALETTE_FOLDER, Bundle, load_bundle
from sflow_pipeline.bundle.metadata import (
    BUNDLE_FORMAT_VERSION,
    STRUCTURE_CHECKS,
    BundleMetadata,
    GateThresholds,
    SegmenterScores,
)
from sflow_pipeline.config.network_recipes import SegmenterRecipe
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import BundleError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.storage.write_whole import write_whole

if TYPE_CHECKING:
    from torch import Tensor

#: The recipe's fields that the header of the weights leaves out.
_NOT_IN_WEIGHTS = {"segmenter", "version", "training_data", "licence"}


def save_bundle(
    path: Path,
    recipe: Recipe,
    networks: "Mapping[str, Mapping[str, Tensor]]",
    details: Mapping[str, Any],
    *,
    in_int8: bool = False,
) -> Bundle:
    """Write a bundle folder: weights with the metadata in their header, ``recipe.yaml``, ``bundle.yaml``.

    Args:
        networks: state dicts by network name (``generator``, ``dned``).
        details: further ``BundleMetadata`` fields; ``version`` is required.
        in_int8: kernels in int8 instead of float16, half the file; pixels change by less than a grey level on average.
    """
    label_space = load_label_space(recipe.label_space)
    # The bytes of the weights depend on these networks alone, not on the segmenter or on notes for people.
    data = _pack_weights(recipe.model_dump(mode="json", exclude=_NOT_IN_WEIGHTS), networks, in_int8=in_int8)
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
    shutil.rmtree(path / PALETTE_FOLDER, ignore_errors=True)
    return load_bundle(path)


def add_palette_bundle(bundle: Bundle, source: Bundle) -> Bundle:
    """Let another bundle of the same label space paint where images follow labels and edges alone, as it does itself.

    Its kernels are kept in int8, which halves the file; pixels change by less than a grey level on average.

    Raises:
        BundleError: the bundles have different label spaces.
    """
    source = source.for_labels_alone
    if source.label_space.digest != bundle.label_space.digest:
        raise BundleError(
            f"bundle {source.path}: its label space is {source.label_space.name}, and {bundle.label_space.name} is "
            f"that of bundle {bundle.path}",
            hint="name a bundle that was trained on the same label space",
        )
    recipe = source.recipe
    data = _pack_weights(recipe.model_dump(mode="json", exclude=_NOT_IN_WEIGHTS), source.read_weights(), in_int8=True)
    folder = bundle.path / PALETTE_FOLDER
    folder.mkdir(exist_ok=True)
    removed = dict.fromkeys(("segmenter_sha256", "palette_digest", "gate"))
    metrics = source.metadata.metrics.model_copy(update={"segmenter": None})
    fields = {"weights_sha256": hashlib.sha256(data).hexdigest(), "metrics": metrics, **removed}
    write_whole(folder / "weights.safetensors", data)
    write_whole(folder / "recipe.yaml", _to_yaml(recipe))
    write_whole(folder / "bundle.yaml", _to_yaml(source.metadata.model_copy(update=fields)))
    metadata = bundle.metadata.model_copy(update={"palette_digest": load_bundle(folder).digest})
    write_whole(bundle.path / "bundle.yaml", _to_yaml(metadata))
    return load_bundle(bundle.path)


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
            "gate": None,  # thresholds belong to the segmenter that they were measured with
            "metrics": bundle.metadata.metrics.model_copy(update={"segmenter": scores}),
        }
    )
    write_whole(bundle.path / "segmenter.safetensors", data)
    write_whole(bundle.path / "recipe.yaml", _to_yaml(whole))
    write_whole(bundle.path / "bundle.yaml", _to_yaml(metadata))
    return load_bundle(bundle.path)


def keep_segmenter(bundle: Bundle, source: Bundle) -> Bundle:
    """Put another bundle's segmenter into a bundle of the same label space, with its scores and its thresholds.

    Thresholds that depend on what paints, those of structure, are left out until the gate is calibrated again.
    """
    state = source.read_segmenter()
    scores = source.metadata.metrics.segmenter
    if state is None or scores is None or source.metadata.label_space_digest != bundle.metadata.label_space_digest:
        return bundle
    bundle = add_segmenter(bundle, source.recipe.segmenter, state, scores)
    gate = source.metadata.gate
    if gate is None:
        return bundle
    least = {name: value for name, value in gate.least.items() if name not in STRUCTURE_CHECKS}
    return add_gate_thresholds(bundle, gate.model_copy(update={"least": least}))


def add_gate_thresholds(bundle: Bundle, thresholds: GateThresholds | None) -> Bundle:
    """Put the gate's thresholds into a bundle, others in their place, or none; nothing that paints is touched."""
    metadata = bundle.metadata.model_copy(update={"gate": thresholds})
    write_whole(bundle.path / "bundle.yaml", _to_yaml(metadata))
    return load_bundle(bundle.path)


def _pack_weights(
    recipe: dict[str, Any], networks: "Mapping[str, Mapping[str, Tensor]]", *, in_int8: bool = False
) -> bytes:
    """A safetensors file of weights under ``network/name``, with the recipe in its header."""
    from safetensors.torch import save

    from sflow_pipeline.bundle.weights_precision import to_float16, to_int8

    named = {f"{network}/{key}": value for network, state in networks.items() for key, value in state.items()}
    header = {"format": f"sflow-pipeline bundle {BUNDLE_FORMAT_VERSION}", "recipe": recipe}
    # One metadata entry only: safetensors writes several in any order, and the same bundle must have the same bytes.
    return save(to_int8(named) if in_int8 else to_float16(named), metadata={"sflow_pipeline": json.dumps(header)})


def build_random_bundle(path: Path, seed: int = 0, recipe: Recipe | None = None) -> Bundle:
    """A small bundle with random weights: for tests and benchmarks of everything around the model."""
    import torch

    from sflow_pipeline.networks.edges.dned import Dned
    from sflow_pipeline.networks.generators.generator import build_generator

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


def _to_yaml(model: BaseModel) -> bytes:
    return yaml.safe_dump(model.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110).encode()
