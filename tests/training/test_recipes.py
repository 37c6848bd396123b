"""Every recipe under models/ is one that this trainer can take a step of, in a small variant of itself."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sflow_pipeline.config.recipe import load_recipe
from sflow_pipeline.networks.features.perceptual import SqueezeNetFeatures
from sflow_pipeline.training.step.train_step import train_step

MODELS = Path(__file__).parents[2] / "models"
SMALL = {
    "generator.width": "9",
    "generator.blocks": "2",
    "discriminator.width": "8",
    "schedule.crop_px": "[64, 64]",
    "schedule.batch_size": "1",
}


def decode(value: str) -> object:
    return value.strip("[]").split(", ") if value.startswith("[") else value


@pytest.mark.parametrize("name", sorted(path.parent.name for path in MODELS.glob("*/recipe.yaml")))
def test_a_step_of_each_stage(name: str, make_run: Callable) -> None:
    recipe = load_recipe(MODELS / name, {key: decode(value) for key, value in SMALL.items()})
    torch.manual_seed(5)
    network = SqueezeNetFeatures().eval().requires_grad_(False) if recipe.discriminator.semantic_width else None
    state, sampler, context = make_run(recipe, network)
    before = {key: p.detach().clone() for key, p in state.generator.named_parameters() if p.ndim > 1}
    for images_seen in sorted({0, recipe.schedule.warmup_images, recipe.schedule.laplacian_images}):
        state.images_seen = images_seen
        terms = train_step(state, sampler.cut_batch(0, 1), context)
        assert ("gan" in terms) == (images_seen >= recipe.schedule.warmup_images)
        assert ("l1" in terms) == (recipe.loss.l1 > 0)
        judged = recipe.discriminator.semantic_width > 0 and images_seen >= recipe.schedule.warmup_images
        assert ("semantic" in terms) == judged
    moved = [not torch.equal(before[key], p) for key, p in state.generator.named_parameters() if p.ndim > 1]
    assert all(moved)
