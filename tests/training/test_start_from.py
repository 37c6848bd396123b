"""A run that starts from a bundle paints what the bundle paints, and says so in the bundle it makes."""

from pathlib import Path

import pytest
import torch

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.networks.generators.generator import build_generator
from sflow_pipeline.training.step.state import build_state
from sflow_pipeline.training.train import train


@pytest.fixture
def bundle(camvid: Path, tiny_recipe: Recipe, tmp_path: Path):
    return train(tiny_recipe, str(camvid), tmp_path / "first").bundle


def test_it_begins_with_the_bundles_networks(bundle, tiny_recipe: Recipe) -> None:
    recipe = tiny_recipe.model_copy(update={"seed": 9})
    state = build_state(recipe, None, "cpu", bundle)
    generator = build_generator(bundle.recipe.generator, 12)
    generator.load_state_dict(bundle.read_weights()["generator"])
    inputs = torch.rand(1, 12, 32, 32), torch.rand(1, 1, 32, 32)
    for painter in (state.generator, state.generator_ema):
        assert torch.allclose(painter(*inputs), generator(*inputs), atol=1e-5)
    assert state.images_seen == 0


def test_the_new_bundle_says_where_it_came_from(bundle, camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    schedule = tiny_recipe.schedule.model_copy(update={"laplacian_images": 0, "joint_images": 4})
    recipe = tiny_recipe.model_copy(update={"schedule": schedule})
    made = train(recipe, str(camvid), tmp_path / "second", start=bundle).bundle
    assert load_bundle(made.path).metadata.started_from == f"tiny 0.1.0, digest {bundle.digest[:12]}"
    assert made.metadata.images_seen == 4
    assert made.digest != bundle.digest
    again = train(recipe, str(camvid), tmp_path / "second", only="bundle").bundle
    assert again.metadata.started_from == made.metadata.started_from
    with pytest.raises(TrainingError, match="made with --start-from none, and this run has tiny"):
        train(tiny_recipe, str(camvid), tmp_path / "first", start=bundle)


def test_other_networks_are_refused(bundle, camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    generator = tiny_recipe.generator.model_copy(update={"width": 12})
    recipe = tiny_recipe.model_copy(update={"generator": generator})
    with pytest.raises(TrainingError, match=r"generator is .*'width': 9.* there and .*'width': 12.* in the recipe"):
        train(recipe, str(camvid), tmp_path / "second", start=bundle)


def test_the_bundle_states_what_the_recipe_says_of_its_data(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    notes = {"version": "0.2.0", "training_data": "eight drawings", "licence": "CC0-1.0"}
    plain, noted = (
        train(recipe, str(camvid), tmp_path / recipe.version).bundle
        for recipe in (tiny_recipe, tiny_recipe.model_copy(update=notes))
    )
    metadata = load_bundle(noted.path).metadata
    assert (metadata.version, metadata.training_data, metadata.training_data_licence) == tuple(notes.values())
    assert noted.digest == plain.digest  # the notes do not change what it paints


def test_the_upsampling_of_a_bundle_may_be_changed_and_changes_what_it_paints(
    bundle, camvid: Path, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    generator = tiny_recipe.generator.model_copy(update={"upsampling": "bilinear"})
    recipe = tiny_recipe.model_copy(update={"generator": generator})
    made = train(recipe, str(camvid), tmp_path / "second", start=bundle).bundle
    assert load_bundle(made.path).recipe.generator.upsampling == "bilinear"
    with (made.path / "recipe.yaml").open("r+") as file:
        text = file.read()
        assert "upsampling: bilinear" in text
        file.seek(0)
        file.write(text.replace("upsampling: bilinear", "upsampling: nearest"))
        file.truncate()
    assert load_bundle(made.path).digest != made.digest
