"""Optional loss terms against closed forms, and in a step."""

import math
from collections.abc import Callable

import pytest
import torch

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.networks.discriminators.discriminator import DiscriminatorOutput
from sflow_pipeline.training.step.losses import discriminator_loss, generator_loss, gradient_penalty, repetition_loss
from sflow_pipeline.training.step.step_rng import StepRng

#: Far from the end of the schedule, at which learning rates are zero.
FAST = {"laplacian_images": 1000, "lr_generator": 5e-3}


@pytest.mark.parametrize("size", [(16, 16), (32, 64)])
def test_gradient_penalty_of_a_linear_discriminator_is_its_squared_norm(size: tuple[int, int]) -> None:
    """A patch's verdict w·x has the gradient w; patches of stride 4 that do not overlap make it exact."""
    discriminator = torch.nn.Conv2d(3, 1, 4, stride=4)
    photo = torch.rand(2, 3, *size)
    penalty = gradient_penalty(
        lambda x: [DiscriminatorOutput([], discriminator(x))], photo, StepRng(0, first_image=0, batch_size=2)
    )
    assert penalty.item() == pytest.approx(discriminator.weight.square().sum().item(), rel=1e-5)
    penalty.backward()
    assert torch.allclose(discriminator.weight.grad, 2 * discriminator.weight, rtol=1e-5)


def test_cross_entropy_of_an_undecided_discriminator() -> None:
    undecided = [DiscriminatorOutput([], torch.zeros(1, 1, 4, 4))]
    assert discriminator_loss("bce", undecided, undecided).item() == pytest.approx(2 * math.log(2))
    assert generator_loss("bce", undecided).item() == pytest.approx(math.log(2))
    sure, wrong = ([DiscriminatorOutput([], torch.full((1, 1, 4, 4), v))] for v in (9.0, -9.0))
    assert discriminator_loss("bce", sure, wrong).item() < 1e-3
    assert generator_loss("bce", sure).item() < 1e-3


def texture(period: int, seed: int = 0) -> torch.Tensor:
    cell = torch.rand(1, 3, period, period, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return cell.repeat(1, 1, 300 // period, 300 // period)[..., :128, :160]


def test_only_what_repeats_with_the_strides_period_and_not_in_the_photo_is_repetition() -> None:
    photo = texture(300)
    assert repetition_loss(photo, texture(300, seed=1)) < 0.5
    assert repetition_loss(photo, texture(13)) < 0.5
    # A cell of 16 recurs at four of the twelve lags, one of 8 at all of them.
    assert repetition_loss(photo, texture(16)) == pytest.approx(4, abs=0.3)
    assert repetition_loss(photo, texture(8)) == pytest.approx(12, abs=0.3)
    assert repetition_loss(texture(16), texture(16)) == 0
    assert repetition_loss(photo, torch.zeros_like(photo)) == 0
    # Crops smaller than a lag have nothing to compare.
    assert repetition_loss(photo[..., :16, :16], photo[..., :16, :16]) == 0


def test_a_lattice_that_an_eye_sees_on_a_flat_road_counts_and_rounding_does_not() -> None:
    road = torch.full((1, 3, 128, 160), -0.5)
    faint = texture(16) / texture(16).mean(dim=1).std() * 2 / 127.5  # two of 255 grey levels
    assert repetition_loss(road, road + faint) > 2.5
    rounded = texture(16).round() / 127.5
    assert repetition_loss(road, road + rounded) < 1


def test_repetition_is_unlearned(make_run: Callable, change_recipe: Callable) -> None:
    lattice, photo = texture(16).requires_grad_(), texture(300)
    optimizer = torch.optim.Adam([lattice], lr=0.05)
    before = repetition_loss(photo, lattice)
    for _ in range(20):
        optimizer.zero_grad()
        repetition_loss(photo, lattice).backward()
        optimizer.step()
    assert repetition_loss(photo, lattice) < 0.5 * before
    run = make_run(change_recipe(loss={"repetition": 1.0}))
    assert all(0 <= terms["repetition"] < 12 for terms in run.take_steps(4))


def test_r1_is_computed_every_so_often_and_restrains_the_discriminator(
    make_run: Callable, tiny_recipe: Recipe, change_recipe: Callable
) -> None:
    plain = make_run(tiny_recipe).take_steps(4)
    lazy = make_run(change_recipe(loss={"r1": 1e-6, "r1_every_steps": 2})).take_steps(4)
    strong = make_run(change_recipe(loss={"r1": 1000.0, "r1_every_steps": 1})).take_steps(12)
    assert ["r1" in terms for terms in plain] == [False] * 4
    assert ["r1" in terms for terms in lazy] == [True, False, True, False]
    assert strong[-1]["r1"] < 0.5 * strong[0]["r1"]


def test_l1_pulls_fakes_to_photos(make_run: Callable, change_recipe: Callable) -> None:
    terms = make_run(change_recipe(loss={"l1": 100.0}, schedule=FAST)).take_steps(20)
    assert terms[-1]["l1"] < 0.7 * terms[0]["l1"]


@pytest.mark.parametrize("kind", ["unet", "global_local"])
def test_the_compared_generators_learn_in_the_same_step(kind: str, make_run: Callable, change_recipe: Callable) -> None:
    generator = {"kind": kind, "width": 8, "blocks": 2, "use_edges": False}
    terms = make_run(change_recipe(generator=generator, loss={"gan": "bce", "l1": 100.0}, schedule=FAST)).take_steps(12)
    assert terms[-1]["l1"] < 0.7 * terms[0]["l1"]
