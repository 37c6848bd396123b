"""Distillation at appearance 0: a bundle's answers to labels and palette are kept while other strengths are trained.

Learning without Forgetting (Li and Hoiem 2016): the teacher is the earlier network, on the new data.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sflow_pipeline.bundle import Bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.generator import build_generator
from sflow_pipeline.tensors import Photo
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.inputs import StepInputs


def load_teacher(bundle: Bundle, recipe: Recipe) -> nn.Module:
    """The generator of a bundle, frozen.

    Raises:
        TrainingError: its input is not that of the recipe's generator.
    """
    classes = load_label_space(recipe.label_space).num_classes
    expected = (recipe.label_space, recipe.generator.count_channels(classes), recipe.generator.use_edges)
    own = bundle.recipe
    given = (own.label_space, own.generator.count_channels(classes), own.generator.use_edges)
    if given != expected:
        raise TrainingError(
            f"--teacher {bundle.name}: label space, input channels and use_edges are {given}, the recipe's {expected}",
            hint="name a bundle of the same label space and inputs, or leave out --teacher",
        )
    generator = build_generator(own.generator, classes)
    generator.load_state_dict(bundle.read_weights()["generator"])
    return generator.eval().requires_grad_(False)


def teacher_loss(teacher: nn.Module, inputs: StepInputs, fake: Photo, context: StepContext) -> Tensor:
    """Mean absolute difference of ``fake`` to the teacher's picture over the images of strength 0; 0 without any."""
    if inputs.strength is None or not bool((is_palette := inputs.strength == 0).any()):
        return fake.new_zeros(())
    with torch.no_grad(), context.device.autocast():
        target: Tensor = teacher(inputs.semantic[is_palette], inputs.edge[is_palette])
    return F.l1_loss(fake[is_palette], target.float())
