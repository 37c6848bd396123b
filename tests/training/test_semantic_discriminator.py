"""The semantic discriminator: its losses against scikit-learn, which networks its loss updates, and what it needs."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.networks.features.perceptual import SqueezeNetFeatures
from sflow_pipeline.training.step.losses import semantic_discriminator_loss, semantic_loss
from sflow_pipeline.training.step.train_step import train_step
from sflow_pipeline.training.train import train


def test_loss_is_the_weighted_log_loss() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 4, 6, 8)
    classes = torch.randint(0, 3, (1, 6, 8), dtype=torch.uint8)
    weights = torch.tensor([1.0, 3.0, 0.0])  # the third class is void
    probabilities = logits.softmax(dim=1).permute(0, 2, 3, 1).reshape(-1, 4).double().numpy()
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    truth = classes.flatten().numpy()
    expected = log_loss(truth, probabilities, sample_weight=weights.numpy()[truth], labels=range(4))
    assert semantic_loss([logits], classes, weights).item() == pytest.approx(expected, rel=1e-5)


def test_an_undecided_discriminator_is_wrong_by_chance_and_void_counts_nothing() -> None:
    undecided = [torch.zeros(2, 4, 3, 4), torch.zeros(2, 4, 6, 8)]
    classes, weights = torch.ones(2, 12, 16, dtype=torch.uint8), torch.tensor([1.0, 2.0, 0.0])
    assert semantic_loss(undecided, classes, weights).item() == pytest.approx(math.log(4))
    both = semantic_discriminator_loss(undecided, undecided, classes, weights)
    assert both.item() == pytest.approx(2 * math.log(4))
    assert semantic_loss(undecided, torch.full_like(classes, 2), weights).item() == 0


def test_labels_of_smaller_answers_are_those_of_their_place() -> None:
    classes = torch.zeros(1, 8, 8, dtype=torch.uint8)
    classes[:, 4:] = 1
    sure = torch.zeros(1, 3, 4, 4)
    sure[:, 0, :2] = sure[:, 1, 2:] = 9.0
    assert semantic_loss([sure], classes, torch.ones(2)).item() < 1e-3


@pytest.fixture
def recipe(tiny_recipe: Recipe) -> Recipe:
    fields = tiny_recipe.model_dump()
    fields["discriminator"] |= {"semantic_width": 8}
    fields["schedule"] |= {"crop_px": (48, 48), "joint_images": 1000, "lr_generator": 5e-3, "lr_discriminator": 2e-3}
    return Recipe.model_validate(fields)


@pytest.fixture
def network() -> SqueezeNetFeatures:
    torch.manual_seed(5)
    return SqueezeNetFeatures().eval().requires_grad_(False)


def test_it_learns_classes_and_what_is_fake(recipe: Recipe, make_run: Callable, network: SqueezeNetFeatures) -> None:
    state, sampler, context = make_run(recipe, network)
    state.optimizers["generator"].param_groups[0]["lr"] = 0.0
    state.set_learning_rates = lambda: None  # type: ignore[method-assign]  # keep the generator where it is
    losses = [train_step(state, sampler.cut_batch(2 * i, 2), context)["semantic_discriminator"] for i in range(25)]
    by_chance = 2 * math.log(13)
    assert losses[0] > 0.9 * by_chance
    assert np.mean(losses[-5:]) < 0.75 * by_chance


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_its_verdict_moves_the_generator_and_the_generators_loss_does_not_move_it(
    recipe: Recipe, make_run: Callable, network: SqueezeNetFeatures, weight: float
) -> None:
    fields = recipe.model_dump()
    fields["loss"] |= {"adversarial": 0.0, "feature_matching": 0.0, "perceptual": 0.0, "semantic": weight}
    state, sampler, context = make_run(Recipe.model_validate(fields), network)
    set_rates = state.set_learning_rates

    def rest() -> None:
        set_rates()
        state.optimizers["semantic_discriminator"].param_groups[0]["lr"] = 0.0

    state.set_learning_rates = rest  # type: ignore[method-assign]
    before = {name: [p.clone() for p in state.networks[name].parameters()] for name in state.trained_networks}
    for i in range(3):
        train_step(state, sampler.cut_batch(2 * i, 2), context)
    moved = {
        name: any(not torch.equal(a, b) for a, b in zip(before[name], state.networks[name].parameters(), strict=True))
        for name in state.trained_networks
    }
    assert moved["generator"] == (weight > 0)
    assert not moved["semantic_discriminator"]


def test_without_a_perceptual_network_it_is_refused(recipe: Recipe, camvid: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"discriminator\.semantic_width is 8.*perceptual network") as caught:
        train(recipe, str(camvid), tmp_path / "out", on_progress=lambda _: pytest.fail("a step was taken"))
    assert "--perceptual FILE" in caught.value.hint


class Watched(SqueezeNetFeatures):
    """Remembers the sizes of what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[tuple[int, ...]] = []

    def forward(self, photo: torch.Tensor) -> list[torch.Tensor]:
        self.shown.append(tuple(photo.shape[-2:]))
        return super().forward(photo)


@pytest.mark.parametrize("jitter", [0.0, 0.25])
def test_photo_and_fake_are_looked_at_in_one_scale_that_is_drawn(
    recipe: Recipe, make_run: Callable, jitter: float
) -> None:
    fields = recipe.model_dump()
    fields["loss"]["view_jitter"] = jitter
    network = Watched().eval().requires_grad_(False)
    make_run(Recipe.model_validate(fields), network).take_steps(8)
    real, fake = network.shown[::2], network.shown[1::2]
    assert real == fake
    heights = [height for height, _ in real]
    smallest, largest = 48 - 15, 48  # a crop of up to 15 px keeps strides from falling on the same pixels
    assert all((1 - jitter) * smallest - 1 <= height <= (1 + jitter) * largest + 1 for height in heights)
    assert (max(heights) > largest or min(heights) < smallest) == (jitter > 0)
