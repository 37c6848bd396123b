"""A bundle's own segmenter as the judge of `evaluate`: named by the bundle's folder, fed photos of any size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.errors import UsageError
from sflow_pipeline.networks.device import place_network
from sflow_pipeline.networks.segmenter import Segmenter

SEGMENTER_FILE = "segmenter.safetensors"


def describe_bundle_segmenter(folder: Path) -> dict[str, Any]:
    """The fields of a ``NetworkSpec`` for the segmenter in a bundle's folder.

    Raises:
        BundleError: the folder holds no bundle.
        UsageError: the bundle has no segmenter.
    """
    bundle = load_bundle(folder)
    if bundle.metadata.segmenter_sha256 is None:
        raise UsageError(
            f"--judge {folder}: bundle {bundle.name} has no segmenter",
            hint="train one with train --only segmenter --set segmenter.images=20000, or name another judge",
        )
    return {
        "file": str(bundle.path / SEGMENTER_FILE),
        "name": f"{bundle.name}_segmenter",
        "sha256": bundle.metadata.segmenter_sha256,
        "size_px": None,
        "input_range": "-1..1",
        "label_space": bundle.metadata.label_space,
    }


def load_bundle_segmenter(folder: Path, device: str) -> Callable[[Tensor], Tensor]:
    """Scores (b, classes without void, h, w) of photos (b, 3, h, w) in [-1, 1].

    Raises:
        BundleError: the weights are damaged.
    """
    bundle = load_bundle(folder)
    state = bundle.read_segmenter()
    assert state is not None, "checked when it was described"
    space = bundle.label_space
    network = Segmenter(space.num_classes, bundle.recipe.segmenter.width)
    network.load_state_dict(state)
    place_network(network.eval().requires_grad_(False), device)
    kept = torch.tensor([i for i in range(space.num_classes) if i != space.void_channel], device=device)

    def run(batch: Tensor) -> Tensor:
        return network(batch)[:, kept]  # type: ignore[no-any-return]

    return run
