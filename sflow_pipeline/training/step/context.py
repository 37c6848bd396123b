"""Constants of a training run that every step needs."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.device import Device, place_network
from sflow_pipeline.networks.perceptual import PerceptualNetwork
from sflow_pipeline.training.data.class_weights import compute_class_weights
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup


@dataclass(frozen=True)
class StepContext:
    """Everything that a step needs besides state and batch.

    Attributes:
        classes: of the label space.
        perceptual: frozen network on the device, None for a run without perceptual features.
        class_weights: of the pixels of each class, for a recipe with a semantic discriminator.
    """

    recipe: Recipe
    classes: int
    device: Device
    perceptual: PerceptualNetwork | None = None
    group: ProcessGroup = SINGLE_PROCESS
    class_weights: Float[Tensor, " classes"] | None = None

    @classmethod
    def build(
        cls,
        recipe: Recipe,
        photos: PhotoSet,
        device: Device,
        perceptual: PerceptualNetwork | None,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> "StepContext":
        """The context of a run on these photos; the perceptual network moves to the device."""
        space = load_label_space(recipe.label_space)
        network = None if perceptual is None else place_network(perceptual, device.name)
        weights = None
        if recipe.discriminator.semantic_width:
            weights = compute_class_weights(photos, space).to(device.name)
        return cls(recipe, space.num_classes, device, network, group, weights)
