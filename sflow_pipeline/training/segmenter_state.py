"""What learns when a segmenter does, and what resuming needs of it."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.networks.layers import place_network
from sflow_pipeline.networks.segmenter import Segmenter
from sflow_pipeline.training.optimizer_slots import slots_from_tensors, slots_to_tensors


class SegmenterState:
    """The segmenter, its optimiser, and the clock ``images_seen``; randomness is drawn from (seed, images_seen)."""

    fixed: ClassVar[dict[str, Any]] = {
        "label_space": True,
        "data": True,
        "segmenter": {"width"},
        "seed": True,
        "name": True,
    }

    def __init__(self, recipe: Recipe, classes: int, device: torch.device | str = "cpu") -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.given: dict[str, str] = {}
        self.images_seen = 0
        self.network = place_network(Segmenter(classes, recipe.segmenter.width), device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), recipe.segmenter.lr, weight_decay=1e-2)

    def set_learning_rate(self) -> None:
        """A polynomial of the clock that ends at zero, as segmenters like it."""
        remaining = max(0.0, 1 - self.images_seen / self.recipe.segmenter.images)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.segmenter.lr * remaining**0.9

    def to_tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state under a flat name, as a checkpoint stores it."""
        tensors = {f"segmenter/{k}": v for k, v in self.network.state_dict().items()}
        tensors |= slots_to_tensors("segmenter", self.optimizer)
        return {k: v.detach().contiguous() for k, v in tensors.items()}

    def from_tensors(self, tensors: dict[str, Tensor], images_seen: int) -> None:
        """Take over what ``to_tensors`` gave."""
        prefix = "segmenter/"
        weights = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        self.network.load_state_dict(weights)
        slots_from_tensors("segmenter", self.optimizer, tensors)
        self.images_seen = images_seen
