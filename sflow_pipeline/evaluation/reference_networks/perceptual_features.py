"""ImageNet weights of a perceptual network as the extractor of `evaluate`: its deepest features, averaged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from sflow_pipeline.networks.device import place_network
from sflow_pipeline.networks.perceptual import load_perceptual

#: In torchvision's layout of SqueezeNet and VGG, and not in Inception's.
_TELLTALE = "features.0.weight"


def describe_perceptual_file(path: Path) -> dict[str, Any] | None:
    """The fields of a ``NetworkSpec`` for SqueezeNet or VGG weights; None where the file holds others.

    Raises:
        TrainingError: it holds something close to them.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            if _TELLTALE not in file.keys():  # noqa: SIM118  it is no mapping
                return None
    except (SafetensorError, OSError):
        return None
    name = load_perceptual(path).name.lower().replace(" ", "")
    return {"name": name, "size_px": None, "input_range": "-1..1"}


def load_perceptual_features(path: Path, device: str) -> Callable[[Tensor], Tensor] | None:
    """Photos (b, 3, h, w) in [-1, 1] to features (b, d, h', w'); None where the file holds other weights."""
    if describe_perceptual_file(path) is None:
        return None
    network = place_network(load_perceptual(path), device)

    def run(batch: Tensor) -> Tensor:
        return network(batch)[-1]  # type: ignore[no-any-return]

    return run
