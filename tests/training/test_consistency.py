"""Semantic consistency: a frozen segmenter recognises converted simulator frames better in the course of training."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sflow_pipeline.bundle import build_random_bundle, load_bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError, UsageError
from sflow_pipeline.training.step.consistency import load_consistency_segmenter
from sflow_pipeline.training.train import train


@pytest.fixture
def recipe(change_recipe: Callable[..., Recipe]) -> Recipe:
    """Every term is off but the consistency of converted simulator frames."""
    off = dict.fromkeys(
        ("adversarial", "feature_matching", "perceptual", "repetition", "dned", "content", "tone", "l1"), 0.0
    )
    return change_recipe(
        generator={"use_palette": True, "use_appearance": True},
        loss=off | {"consistency": 1.0},
        schedule={
            "crop_px": (64, 96),
            "render_batch_size": 2,
            "laplacian_images": 0,
            "joint_images": 60,
            "decay_images": 0,
            "lr_generator": 2e-3,
        },
    )


def test_converted_frames_are_recognised_better_and_better(
    recipe: Recipe, camvid: Path, street_dump: Path, tmp_path: Path
) -> None:
    terms: list[float] = []
    train(
        recipe,
        str(camvid),
        tmp_path / "run",
        renders=[str(street_dump)],
        segmenter=load_bundle("sflow"),
        on_progress=lambda progress: terms.append(progress.terms["render_consistency"]),
    )
    assert sum(terms[-5:]) < 0.8 * sum(terms[:5])


def test_a_bundle_without_segmenter_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="has no segmenter"):
        load_consistency_segmenter(build_random_bundle(tmp_path / "random"), recipe)


def test_a_segmenter_of_other_classes_is_refused(recipe: Recipe) -> None:
    other = recipe.model_copy(update={"label_space": "cityscapes19"})
    with pytest.raises(TrainingError, match="its label space is camvid11, the recipe's cityscapes19"):
        load_consistency_segmenter(load_bundle("sflow"), other)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_segmenter_and_weight_belong_together(recipe: Recipe, street_dump: Path, tmp_path: Path, weight: float) -> None:
    content = recipe.model_dump()
    content["loss"]["consistency"] = weight
    with pytest.raises(UsageError, match="consistency") as caught:
        train(
            Recipe.model_validate(content),
            str(tmp_path),
            tmp_path / "run",
            renders=[str(street_dump)],
            segmenter=None if weight else load_bundle("sflow"),
        )
    assert ("--segmenter BUNDLE" if weight else "loss.consistency=1") in str(caught.value.hint)
