"""A feature extractor: a network trained elsewhere that turns a photo into one vector.

A ``.safetensors`` file holds the weights of SqueezeNet, VGG-19 or Inception-v3, by which FID and KID are defined; any
other extractor gives its own name to the distances over its features.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.reference_networks.network_input import build_input
from sflow_pipeline.evaluation.reference_networks.perceptual_features import load_perceptual_features
from sflow_pipeline.evaluation.reference_networks.program_file import Network, check_digest, load_network
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec
from sflow_pipeline.metrics import INCEPTION
from sflow_pipeline.networks.inception import load_inception


class Extractor:
    """A network whose output is one feature vector a photo; feature maps are averaged over the picture.

    Args:
        spec: its file and input.
        device: where it runs.

    Attributes:
        name: in the names of metrics.
        digest: sha256 of its file.
    """

    def __init__(self, spec: NetworkSpec, device: str) -> None:
        self._network, self.name, self.digest = _load(spec, device)
        self.spec = spec
        self._device = device

    @torch.inference_mode()
    def extract(self, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(d,) features of a (h, w, 3) uint8 RGB photo.

        Raises:
            UsageError: the network's output is not (1, d) or (1, d, h, w).
        """
        features = self._network(build_input(photo, self.spec, self._device))
        if features.ndim == 4:
            features = features.mean(dim=(2, 3))
        if features.ndim != 2 or features.shape[0] != 1:
            raise UsageError(
                f"--extractor {self.spec.file}: output {tuple(features.shape)}, expected (1, d) or (1, d, h, w)",
                hint="export the part of the network that ends in one feature vector",
            )
        return features[0].float().cpu().numpy()


def _load(spec: NetworkSpec, device: str) -> tuple[Network, str, str]:
    """The network, its name and the sha256 of its file."""
    if not spec.holds_weights_alone:
        if spec.name.startswith(INCEPTION):
            raise UsageError(
                f"--extractor {spec.file}: the name {INCEPTION} is kept for Inception-v3 weights",
                hint="choose another `name:` in its YAML, so that nobody takes its numbers for FID",
            )
        network, digest = load_network(spec, device)
        return network, spec.name, digest
    digest = check_digest(spec)
    perceptual = load_perceptual_features(Path(spec.file), device)
    if perceptual is not None:
        return perceptual, spec.name, digest
    inception = load_inception(spec.file)
    inception.to(device)
    return inception, INCEPTION if inception.is_fid else f"{INCEPTION}_torchvision", digest
