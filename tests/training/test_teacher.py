"""Training with a teacher: at appearance 0 its pictures are followed, above it they are not asked for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sflow_pipeline.bundle import build_random_bundle, load_bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError, UsageError
from sflow_pipeline.training.step.photo_damage import draw_strength
from sflow_pipeline.training.step.step_rng import StepRng
from sflow_pipeline.training.step.teacher import load_teacher
from sflow_pipeline.training.train import train


class GreyTeacher(nn.Module):
    """A generator whose pictures are of one grey."""

    def forward(self, semantic: torch.Tensor, _edge: torch.Tensor) -> torch.Tensor:
        return torch.full((len(semantic), 3, *semantic.shape[-2:]), 0.9)


@pytest.fixture
def take_steps(make_run: Callable[..., Any], change_recipe: Callable[..., Recipe]) -> Callable[..., list[float]]:
    """The teacher's term in each step of a run whose photos have appearance 0 with the given chance."""

    def take(palette_share: float, steps: int) -> list[float]:
        recipe = change_recipe(
            generator={"use_palette": True, "use_appearance": True},
            schedule={"palette_share": palette_share},
            loss={"teacher": 500.0},
        )
        run = make_run(recipe)
        run = run._replace(context=replace(run.context, teacher=GreyTeacher()))
        return [terms["teacher"] for terms in run.take_steps(steps)]

    return take


def test_pictures_with_appearance_0_come_nearer_to_the_teachers(take_steps: Callable[..., list[float]]) -> None:
    terms = take_steps(1.0, 16)
    assert terms[0] > 0.5
    assert terms[-1] < 0.9 * terms[0]


def test_pictures_with_an_appearance_are_not_compared(take_steps: Callable[..., list[float]]) -> None:
    assert take_steps(0.0, 3) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_share_of_palette_images_is_the_recipes(share: float) -> None:
    strengths = torch.cat([draw_strength(StepRng(seed, 8 * seed, 8), share) for seed in range(400)])
    assert float((strengths == 0).float().mean()) == pytest.approx(share, abs=0.03)
    assert float((strengths == 1).float().mean()) == pytest.approx((1 - share) * 2 / 3, abs=0.03)


@pytest.fixture
def appearance_bundle(tmp_path: Path) -> Path:
    """A random bundle with palettes and an appearance map."""
    settings = {"generator": {"width": 9, "blocks": 1, "use_palette": True, "use_appearance": True}}
    recipe = Recipe.model_validate({"name": "random", "dned": {"widths": (4, 4, 4, 4, 4)}} | settings)
    return build_random_bundle(tmp_path / "random", 1, recipe).path


def test_a_teacher_with_other_inputs_is_refused(appearance_bundle: Path) -> None:
    bundle = load_bundle(appearance_bundle)
    recipe = Recipe.model_validate(bundle.recipe.model_dump() | {"label_space": "cityscapes19"})
    with pytest.raises(TrainingError, match=r"--teacher .*: label space, input channels and use_edges are"):
        load_teacher(bundle, recipe)


@pytest.mark.parametrize("weight", [0.0, 20.0])
def test_teacher_and_weight_belong_together(tmp_path: Path, appearance_bundle: Path, weight: float) -> None:
    bundle = load_bundle(appearance_bundle)
    recipe = Recipe.model_validate(bundle.recipe.model_dump() | {"loss": {"teacher": weight}})
    with pytest.raises(UsageError, match=r"teacher") as caught:
        train(recipe, str(tmp_path), tmp_path / "out", teacher=None if weight else bundle)
    assert ("--teacher BUNDLE" if weight else "loss.teacher=20") in str(caught.value.hint)
