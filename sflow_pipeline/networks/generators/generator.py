"""The generator of a recipe: semantic map and edge map to photo."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from sflow_pipeline.config.network_recipes import GeneratorRecipe
from sflow_pipeline.networks.generators.compact import CompactGenerator
from sflow_pipeline.networks.generators.global_local import GlobalLocalGenerator
from sflow_pipeline.networks.generators.resnet import ResnetGenerator
from sflow_pipeline.networks.generators.unet import UnetGenerator
from sflow_pipeline.tensors import EdgeMap, Photo, SemanticMap


@runtime_checkable
class Generator(Protocol):
    """Interface of every generator; any input size."""

    def __call__(self, semantic_map: SemanticMap, edge_map: EdgeMap) -> Photo: ...


class LabelOnlyGenerator(nn.Module):
    """A generator with an empty edge map for input, whatever it is given, as pix2pix and pix2pixHD work."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, semantic_map: SemanticMap, edge_map: EdgeMap) -> Photo:
        photo: Tensor = self.inside(semantic_map, torch.zeros_like(edge_map))
        return photo


def build_generator(recipe: GeneratorRecipe, classes: int) -> nn.Module:
    """The recipe's generator, randomly initialised; called as the ``Generator`` it is.

    >>> type(build_generator(GeneratorRecipe(kind="compact", width=9, blocks=1), classes=3)).__name__
    'CompactGenerator'
    """
    kinds = {
        "compact": CompactGenerator,
        "resnet": ResnetGenerator,
        "unet": UnetGenerator,
        "global_local": GlobalLocalGenerator,
    }
    previous = 3 * recipe.use_previous
    channels, detail = recipe.count_channels(classes) + previous, 3 * recipe.use_appearance + previous
    generator: nn.Module
    if recipe.kind == "compact":
        generator = CompactGenerator(channels, recipe.width, recipe.blocks, detail, recipe.upsampling)
    else:
        generator = kinds[recipe.kind](channels, recipe.width, recipe.blocks)
    return generator if recipe.use_edges else LabelOnlyGenerator(generator)
