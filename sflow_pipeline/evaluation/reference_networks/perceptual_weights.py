"""ImageNet weights of a perceptual network as a feature extractor: one pooled vector per photo."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from sflow_pipeline.errors import UsageError, first_line
from sflow_pipeline.evaluation.reference_networks.program_file import Network
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec
from sflow_pipeline.networks.device import place_network
from sflow_pipeline.networks.features.perceptual import load_perceptual

PURPOSES = ("extractor",)
#: Tensors of which every perceptual network has one, and Inception none.
_TELLTALES = {"features.0.weight", "_conv_stem.weight"}


def describe(path: Path) -> dict[str, Any] | None:
    """See ``NetworkKind``.

    Raises:
        UsageError: the file is damaged.
        TrainingError: it holds something close to a perceptual network's weights.
    """
    if path.suffix != ".safetensors":
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            if not _TELLTALES & set(file.keys()):
                return None
    except (SafetensorError, OSError) as error:
        raise UsageError(
            f"--extractor {path}: damaged, or no safetensors file ({first_line(error)})",
            hint="copy it again; a torch state dict becomes one by safetensors.torch.save_file(state_dict, path)",
        ) from error
    return {
        "name": load_perceptual(path).name.lower().replace(" ", ""),
        "size_px": None,
        "input_range": "-1..1",
    }


def load(spec: NetworkSpec, device: str) -> Network:
    """See ``NetworkKind``."""
    return place_network(load_perceptual(spec.file), device).embed
