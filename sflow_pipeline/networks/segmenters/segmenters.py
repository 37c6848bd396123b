"""The segmenter of a recipe: a photo in, class logits at the photo's size out."""

from sflow_pipeline.config.network_recipes import SegmenterRecipe
from sflow_pipeline.networks.segmenters.lite_segmenter import LiteSegmenter
from sflow_pipeline.networks.segmenters.segmenter import Segmenter


def build_segmenter(recipe: SegmenterRecipe, classes: int) -> Segmenter | LiteSegmenter:
    """The network in the form that bundles store, with random weights."""
    if recipe.encoder == "efficientnet_lite0":
        return LiteSegmenter(classes, recipe.width)
    return Segmenter(classes, recipe.width)
