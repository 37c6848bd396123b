"""What a training step needs besides what learns: the recipe, where it runs, and eyes for the perceptual loss."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.device import place_network
from sflow_pipeline.networks.perceptual import PerceptualNetwork
from sflow_pipeline.training.data.class_weights import compute_class_weights
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup


@dataclass(frozen=True)
class StepContext:
    """What a step needs besides the state: fixed for a whole run."""

    recipe: Recipe
    classes: int
    device: torch.device
    precision: str
    perceptual: PerceptualNetwork | None
    group: ProcessGroup = SINGLE_PROCESS
    class_weights: Float[Tensor, " classes"] | None = None

    @classmethod
    def build(
        cls,
        recipe: Recipe,
        photos: PhotoSet,
        device: torch.device,
        precision: str,
        perceptual: PerceptualNetwork | None,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> "StepContext":
        """What a run on these photos needs, on its device."""
        space = load_label_space(recipe.label_space)
        network = None if perceptual is None else place_network(perceptual, device)
        weights = None
        if recipe.discriminator.semantic_width:
            weights = compute_class_weights(photos, space).to(device)
        return cls(recipe, space.num_classes, device, precision, network, group, weights)

    def autocast(self) -> torch.autocast:
        """bf16 where the run is in bf16."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")
