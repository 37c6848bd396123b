"""A generator that is shown no edges: how pix2pix and pix2pixHD work, for comparison."""

import torch
from torch import Tensor, nn

from sflow_pipeline.tensors import EdgeMap, Photo, SemanticMap


class LabelOnlyGenerator(nn.Module):
    """Hands an empty edge map to the generator inside, whatever it is given."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, semantic_map: SemanticMap, edge_map: EdgeMap) -> Photo:
        photo: Tensor = self.inside(semantic_map, torch.zeros_like(edge_map))
        return photo
