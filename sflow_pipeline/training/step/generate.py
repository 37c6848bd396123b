"""The generator's images in a training step."""

from typing import Protocol, runtime_checkable

from torch import Tensor

from sflow_pipeline.networks.motion.previous_image import add_previous
from sflow_pipeline.tensors import EdgeMap, Photo, SemanticMap
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.state import TrainingState


@runtime_checkable
class GeneratorInputs(Protocol):
    """What every generator is given."""

    @property
    def semantic(self) -> SemanticMap: ...

    @property
    def edge(self) -> EdgeMap: ...


def generate(
    state: TrainingState, inputs: GeneratorInputs, context: StepContext, carried: Photo | None = None
) -> Photo:
    """Images, float32.

    Args:
        carried: the images before, for a recipe with ``use_previous``; None for first frames.
    """
    semantic = inputs.semantic
    if context.recipe.generator.use_previous:
        semantic = add_previous(semantic, carried)
    with context.device.autocast():
        fake: Tensor = state.generator(semantic, inputs.edge)
    return fake.float()
