"""The feature extractor: a network trained elsewhere that turns a picture into one vector.

A ``.safetensors`` file holds the weights of a perceptual network or of Inception-v3, by which FID and KID are defined;
distances over any other extractor's features contain its own name.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.reference_networks.inception_weights import name_features
from sflow_pipeline.evaluation.reference_networks.kinds import load_network
from sflow_pipeline.evaluation.reference_networks.network_input import build_input
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec
from sflow_pipeline.metrics import INCEPTION


class Extractor:
    """A network whose output is one feature vector a picture; feature maps are averaged over the picture.

    Args:
        spec: its file and input.
        device: where it runs.

    Attributes:
        name: in the names of metrics.
        digest: sha256 of its file.
    """

    def __init__(self, spec: NetworkSpec, device: str) -> None:
        if spec.kind != "inception" and spec.name.startswith(INCEPTION):
            raise UsageError(
                f"--extractor {spec.file}: the name {INCEPTION} is kept for Inception-v3 weights",
                hint="choose another `name:` in its YAML, so that nobody takes its numbers for FID",
            )
        self._network, self.digest = load_network(spec, device)
        self.name = name_features(spec) if spec.kind == "inception" else spec.name
        self.spec = spec
        self._device = device

    def extract(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(d,) features of a (h, w, 3) uint8 RGB picture.

        Raises:
            UsageError: the network's output is not (1, d) or (1, d, h, w).
        """
        features: NDArray[np.float32] = self.extract_batch(picture[None])[0]
        return features

    @torch.inference_mode()
    def extract_batch(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, d) features of (n, h, w, 3) uint8 RGB pictures; a program gets them one by one, as it was traced.

        Raises:
            UsageError: the network's output is not (n, d) or (n, d, h, w).
        """
        step = 1 if self.spec.kind == "program" else len(pictures)
        batches = (pictures[start : start + step] for start in range(0, len(pictures), step))
        return np.concatenate([self._run(batch) for batch in batches])

    def _run(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        features = self._network(build_input(pictures, self.spec, self._device))
        if features.ndim == 4:
            features = features.mean(dim=(2, 3))
        if features.ndim != 2 or features.shape[0] != len(pictures):
            raise UsageError(
                f"--extractor {self.spec.file}: output {tuple(features.shape)}, expected ({len(pictures)}, d) or "
                f"({len(pictures)}, d, h, w)",
                hint="export the part of the network that ends in one feature vector",
            )
        return features.float().cpu().numpy()
