"""A bundle's own segmenter as judge, named by the bundle's folder; it takes photos of any size."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.reference_networks.program_file import Network
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec
from sflow_pipeline.networks.device import place_network
from sflow_pipeline.networks.segmenters.lite_segmenter import LiteSegmenter
from sflow_pipeline.networks.segmenters.segmenter import Segmenter
from sflow_pipeline.networks.segmenters.segmenters import build_segmenter

PURPOSES = ("judge",)
SEGMENTER_FILE = "segmenter.safetensors"


def describe(path: Path) -> dict[str, Any] | None:
    """See ``NetworkKind``.

    Raises:
        BundleError: the folder holds no bundle.
        UsageError: the bundle has no segmenter.
    """
    fields = describe_segmenter(path, "judge")
    return None if fields is None else {**fields, "size_px": None}


def describe_segmenter(path: Path, what: str) -> dict[str, Any] | None:
    """Fields that follow from a bundle's folder or its segmenter's file, whatever it is used as; None for others.

    Raises:
        BundleError: the folder holds no bundle.
        UsageError: the bundle has no segmenter.
    """
    if not path.is_dir() and path.name != SEGMENTER_FILE:
        return None
    bundle = load_bundle(path if path.is_dir() else path.parent)
    if bundle.metadata.segmenter_sha256 is None:
        raise UsageError(
            f"--{what} {path}: bundle {bundle.name} has no segmenter",
            hint=f"train one with train --only segmenter --set segmenter.images=20000, or name another {what}",
        )
    return {
        "file": str((bundle.path / SEGMENTER_FILE).absolute()),
        "name": f"{bundle.name}_segmenter",
        "sha256": bundle.metadata.segmenter_sha256,
        "input_range": "-1..1",
        "label_space": bundle.metadata.label_space,
    }


def load(spec: NetworkSpec, device: str) -> Network:
    """See ``NetworkKind``; its scores (b, classes without void, h, w) have the photo's size.

    Raises:
        BundleError: the weights are damaged.
    """
    space = load_bundle(Path(spec.file).parent).label_space
    network = load_network(spec, device)
    kept = torch.tensor([i for i in range(space.num_classes) if i != space.void_channel], device=device)

    def run(batch: Tensor) -> Tensor:
        return network(batch)[:, kept]  # type: ignore[no-any-return]

    return run


def load_network(spec: NetworkSpec, device: str) -> Segmenter | LiteSegmenter:
    """The segmenter itself.

    Raises:
        BundleError: the weights are damaged.
    """
    bundle = load_bundle(Path(spec.file).parent)
    state = bundle.read_segmenter()
    assert state is not None, "checked when it was described"
    network = build_segmenter(bundle.recipe.segmenter, bundle.label_space.num_classes)
    network.load_state_dict(state)
    place_network(network.eval().requires_grad_(False), device)
    return network
