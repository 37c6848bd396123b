"""Features of a perceptual network at several depths, for measures that compare pictures at each of them."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sflow_pipeline.evaluation.reference_networks.extractor import Extractor
from sflow_pipeline.networks.device import place_network
from sflow_pipeline.networks.features.perceptual import load_perceptual
from sflow_pipeline.networks.features.vgg import Vgg16Features


class FeatureDepths:
    """The slices of a perceptual network.

    Args:
        extractor: whose weights file is read; of kind ``perceptual``.
        device: where it runs.

    Attributes:
        extractor: as given.
        is_vgg16: whether it is VGG-16, alone or as HED's trunk.
        is_relative: whether the size of its activations follows that of 0 to 255 input, so that only ratios of
            distances mean something.
    """

    def __init__(self, extractor: Extractor, device: str) -> None:
        self.extractor = extractor
        self._network = place_network(load_perceptual(extractor.spec.file), device)
        self._device = device
        self.is_vgg16 = isinstance(self._network, Vgg16Features)
        self.is_relative = self._network.relative

    @torch.inference_mode()
    def extract_maps(self, pictures: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n c h2 w2"]]:
        """Feature maps of pictures in [-1, 1], shallow first."""
        return self._network(pictures.to(self._device))  # type: ignore[no-any-return]

    def pool(self, pictures: Float[Tensor, "n 3 h w"]) -> list[NDArray[np.float32]]:
        """(n, c) features of each depth, averaged over the picture; pictures in [-1, 1]."""
        return [maps.mean(dim=(2, 3)).float().cpu().numpy() for maps in self.extract_maps(pictures)]


def open_depths(extractor: Extractor | None, device: str) -> FeatureDepths | None:
    """The depths of an extractor that is a perceptual network; None for any other."""
    if extractor is None or extractor.spec.kind != "perceptual":
        return None
    return FeatureDepths(extractor, device)
