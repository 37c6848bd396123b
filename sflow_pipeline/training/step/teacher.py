"""Distillation at appearance 0: a bundle's answers to labels and palette are kept while other strengths are trained.

Learning without Forgetting (Li and Hoiem 2016): the teacher is the earlier network, on the new data.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sflow_pipeline.bundle import Bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError, first_line
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.generators.generator import build_generator
from sflow_pipeline.tensors import Photo
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.features import MAX_SHIFT_PX
from sflow_pipeline.training.step.inputs import StepInputs
from sflow_pipeline.training.step.losses import measure_scales, perceptual_loss
from sflow_pipeline.training.step.mirror_shift import mirror_shift
from sflow_pipeline.training.step.step_rng import StepRng


def load_teacher(bundle: Bundle, recipe: Recipe) -> nn.Module:
    """The generator by which a bundle paints from labels and edges alone, frozen.

    Raises:
        TrainingError: its input is not that of the recipe's generator.
    """
    bundle = bundle.for_labels_alone
    classes = load_label_space(recipe.label_space).num_classes
    expected = (recipe.label_space, recipe.generator.count_channels(classes), recipe.generator.use_edges)
    own = bundle.recipe
    given = (own.label_space, own.generator.count_channels(classes), own.generator.use_edges)
    if given != expected:
        raise TrainingError(
            f"--teacher {bundle.name}: label space, input channels and use_edges are {given}, the recipe's {expected}",
            hint="name a bundle of the same label space and inputs, or leave out --teacher",
        )
    if own.generator.use_previous:
        raise TrainingError(
            f"--teacher {bundle.name}: paints from the image before (generator.use_previous), and photos have none",
            hint="name a bundle that paints frames independently, or leave out --teacher",
        )
    generator = build_generator(own.generator, classes)
    try:
        generator.load_state_dict(bundle.read_weights()["generator"])
    except (KeyError, RuntimeError) as error:
        raise TrainingError(
            f"--teacher {bundle.name}: weights do not fit recipe.yaml ({first_line(error)})",
            hint="restore the whole folder: weights and recipe belong together",
        ) from error
    return generator.eval().requires_grad_(False)


def teacher_loss(teacher: nn.Module, inputs: StepInputs, fake: Photo, context: StepContext, rng: StepRng) -> Tensor:
    """Distance of ``fake`` to the teacher's picture of the same input, on the images of strength 0; mean over images.

    The mean absolute difference holds tone and structure, but blurs; the perceptual distance, which counts half, holds
    texture. Images of other strengths count as 0. Every image is scaled on its own, so that processes can share a
    batch.
    """
    # At a fixed place the perceptual network's stride would print its grid on the fakes.
    offset = rng.integers(-MAX_SHIFT_PX, MAX_SHIFT_PX, count=2)
    if inputs.strength is None:
        return fake.new_zeros(())
    total = fake.new_zeros(())
    for index in (inputs.strength == 0).nonzero()[:, 0].tolist():
        image = slice(index, index + 1)
        with torch.no_grad(), context.device.autocast():
            target: Tensor = teacher(inputs.semantic[image], inputs.edge[image])
        target, own = (mirror_shift(picture.float(), *offset) for picture in (target, fake[image]))
        total = total + F.l1_loss(own, target)
        if context.perceptual is not None:
            with context.device.autocast():
                real, generated = (context.perceptual(picture) for picture in (target, own))
            scales = measure_scales(context.perceptual, real)
            total = total + perceptual_loss(context.perceptual, real, generated, scales) / 2
    return total / len(fake)
