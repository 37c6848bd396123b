"""Semantic consistency (CyCADA, Hoffman et al. 2018): converted frames are recognised by a frozen segmenter."""

import torch
from torch import nn

from sflow_pipeline.bundle import Bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.segmenters import build_segmenter
from sflow_pipeline.tensors import ClassIndexMap, Photo
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.losses import semantic_loss
from sflow_pipeline.training.step.mirror_shift import mirror_shift
from sflow_pipeline.training.step.step_rng import StepRng

#: Frames are translated by up to this many pixels, one stride of the segmenter, so that its grid is not printed.
_MAX_SHIFT_PX = 15


def load_consistency_segmenter(bundle: Bundle, recipe: Recipe) -> nn.Module:
    """The segmenter of a bundle, frozen.

    Raises:
        TrainingError: the bundle has none, or its classes are not the recipe's.
    """
    if bundle.recipe.label_space != recipe.label_space:
        raise TrainingError(
            f"--segmenter {bundle.name}: its label space is {bundle.recipe.label_space}, "
            f"the recipe's {recipe.label_space}",
            hint="name a bundle of the recipe's label space, or leave out --segmenter",
        )
    weights = bundle.read_segmenter()
    if weights is None:
        raise TrainingError(
            f"--segmenter {bundle.name}: the bundle has no segmenter",
            hint="train one with train --only segmenter, or leave out --segmenter",
        )
    network = build_segmenter(bundle.recipe.segmenter, load_label_space(recipe.label_space).num_classes)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def consistency_loss(
    segmenter: nn.Module, fake: Photo, class_index: ClassIndexMap, context: StepContext, rng: StepRng
) -> torch.Tensor:
    """Class-weighted cross-entropy of the segmenter's answer to ``fake`` with its labels; void does not count."""
    offset = rng.integers(-_MAX_SHIFT_PX, _MAX_SHIFT_PX, count=2)
    picture, truth = (mirror_shift(x, *offset) for x in (fake, class_index))
    with context.device.autocast():
        logits = segmenter(picture)
    return semantic_loss([logits], truth, context.get_class_weights())
