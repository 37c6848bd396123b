"""Networks of a portable bundle: edge extractor, DNED and generator as one module from bytes to bytes."""

import torch
from torch import Tensor, nn

from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.networks.edges.dned import fuse_sides
from sflow_pipeline.networks.edges.edges import extract_edges
from sflow_pipeline.tensors import to_bytes


class PortableNetworks(nn.Module):
    """Edge extractor, DNED and generator from bytes to bytes, as ``Translator.translate`` runs them.

    Args:
        translator: of a bundle, on the CPU in fp32.
    """

    channels: Tensor

    def __init__(self, translator: Translator) -> None:
        super().__init__()
        self.dned, self.generator = translator.networks
        self._threshold = translator.threshold
        self.register_buffer("channels", torch.arange(translator.classes, dtype=torch.uint8).view(1, -1, 1, 1))

    def forward(
        self, render: Tensor, class_index: Tensor, alpha: Tensor, colors: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Images and edges.

        Args:
            render: (b, h, w, 3) uint8 RGB.
            class_index: (b, h, w) uint8 channel of each pixel's class.
            alpha: (b, 5) ensemble weights of DNED's sides.
            colors: (b, 3, h, w) in [-1, 1], for bundles with palettes: each pixel in the colour of its class.

        Returns:
            (b, h, w, 3) uint8 RGB and (b, h, w) uint8 edge strength.
        """
        edges = extract_edges(render.permute(0, 3, 1, 2), self._threshold)
        edge = fuse_sides(self.dned(edges), alpha)
        planes = [class_index[:, None].eq(self.channels).float(), *([] if colors is None else [colors])]
        image = to_bytes(self.generator(torch.cat(planes, dim=1), edge)).permute(0, 2, 3, 1)
        return image, (edge[:, 0] * 255.0).round().to(torch.uint8)
