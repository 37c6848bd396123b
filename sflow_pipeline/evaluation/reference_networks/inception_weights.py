"""Inception-v3 weights as a feature extractor, and the names that distances over their features may have."""

from pathlib import Path
from typing import Any

from sflow_pipeline.evaluation.reference_networks.program_file import Network
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec
from sflow_pipeline.metrics import INCEPTION
from sflow_pipeline.networks.features.inception import load_inception

PURPOSES = ("extractor",)


def describe(path: Path) -> dict[str, Any] | None:
    """See ``NetworkKind``; size and filter are those of FID in PyTorch."""
    if path.suffix != ".safetensors":
        return None
    return {"size_px": "299x299", "input_range": "-1..1", "filter": "bilinear", "name": "inception_v3"}


def load(spec: NetworkSpec, device: str) -> Network:
    """See ``NetworkKind``."""
    return load_inception(spec.file).to(device)


def name_features(spec: NetworkSpec) -> str:
    """The name of the features: only those of FID's own weights give distances called FID and KID."""
    return INCEPTION if load_inception(spec.file).is_fid else f"{INCEPTION}_torchvision"
