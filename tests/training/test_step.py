"""One step moves what it should, and stops at what is not a number."""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.training.data.crops import CropBatch
from sflow_pipeline.training.data.prefetch import prefetch_batches
from sflow_pipeline.training.step.train_step import train_step


@pytest.fixture
def run(make_run: Callable, tiny_recipe: Recipe):
    return make_run(tiny_recipe)


def copy_parameters(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in network.named_parameters()}


@pytest.mark.parametrize("images_seen", [0, 8], ids=["laplacian", "joint"])
def test_every_network_learns_in_every_stage(run, images_seen: int) -> None:
    state, sampler, context = run
    state.images_seen = images_seen
    before = {name: copy_parameters(network) for name, network in state.networks.items()}
    for _ in range(2):
        train_step(state, sampler.cut_batch(state.images_seen, 2), context)
    for name, network in state.networks.items():
        # The bias of a hinge verdict feels photo and fake cancel, so weights are what is asked about.
        moved = [not torch.equal(before[name][key], p) for key, p in network.named_parameters() if p.ndim > 1]
        assert all(moved), f"{name}: {len(moved) - sum(moved)} of {len(moved)} parameters did not move"


def test_the_discriminator_rests_while_the_generator_warms_up(make_run: Callable, change_recipe: Callable) -> None:
    schedule = {"warmup_images": 2, "lr_warmup": 0.5, "lr_generator": 0.25}
    state, sampler, context = make_run(change_recipe(schedule=schedule, loss={"l1": 1.0}))
    found = []
    for _ in range(2):
        discriminator, generator = copy_parameters(state.discriminator), copy_parameters(state.generator)
        terms = train_step(state, sampler.cut_batch(state.images_seen, 2), context)
        moved = [
            any(not torch.equal(before[name], p) for name, p in network.named_parameters())
            for before, network in ((discriminator, state.discriminator), (generator, state.generator))
        ]
        found.append((moved, "gan" in terms, state.optimizers["generator"].param_groups[0]["lr"]))
    assert found == [([False, True], False, 0.5), ([True, True], True, 0.25)]


def test_the_discriminator_learns_to_tell_photos_from_an_untrained_generators_fakes(run) -> None:
    state, sampler, context = run
    state.optimizers["generator"].param_groups[0]["lr"] = 0.0
    state.set_learning_rates = lambda: None  # keep the generator where it is
    losses = [train_step(state, sampler.cut_batch(2 * i, 2), context)["discriminator"] for i in range(30)]
    assert sum(losses[-5:]) < 0.75 * sum(losses[:5])


def test_a_term_that_is_not_finite_stops_training_by_name(run) -> None:
    state, sampler, context = run
    with torch.no_grad():
        state.dned.sides[0].bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"dned.* not finite after 0 images") as caught:
        train_step(state, sampler.cut_batch(0, 2), context)
    assert "checkpoint" in caught.value.hint


def test_crops_are_the_same_whoever_asks_and_cover_every_photo(run) -> None:
    _, sampler, _ = run
    batch, again = sampler.cut_batch(4, 3), sampler.cut_batch(5, 1)
    assert torch.equal(batch.photo[1], again.photo[0])
    assert torch.equal(batch.class_index[1], again.class_index[0])
    assert batch.photo.shape == (3, 3, 32, 32)
    assert set(batch.class_index.unique().tolist()) <= {0, 3}


def test_crops_that_threads_cut_ahead_come_in_order(run, monkeypatch: pytest.MonkeyPatch) -> None:
    _, sampler, _ = run
    expected = [sampler.cut_batch(first, 2) for first in range(4, 44, 2)]
    cut = sampler.cut_batch
    delays = iter(np.random.default_rng(0).uniform(0, 0.01, 20))
    monkeypatch.setattr(sampler, "cut_batch", lambda *place: (time.sleep(next(delays)), cut(*place))[1])
    ahead = list(prefetch_batches(sampler, first_image=4, last_image=44, batch_size=2))
    assert len(ahead) == len(expected)
    for ours, theirs in zip(ahead, expected, strict=True):
        assert torch.equal(ours.photo, theirs.photo)
        assert torch.equal(ours.class_index, theirs.class_index)


def test_a_crop_that_cannot_be_cut_stops_the_run_in_its_turn(run, monkeypatch: pytest.MonkeyPatch) -> None:
    _, sampler, _ = run
    cut = sampler.cut_batch

    def lose_the_disk(first_image: int, *others) -> CropBatch:
        if first_image == 8:
            raise OSError("disk lost")
        return cut(first_image, *others)

    monkeypatch.setattr(sampler, "cut_batch", lose_the_disk)
    batches = prefetch_batches(sampler, first_image=0, last_image=100, batch_size=2)
    assert [len(next(batches).photo) for _ in range(4)] == [2, 2, 2, 2]
    with pytest.raises(OSError, match="disk lost"):
        next(batches)


def test_labels_stay_with_their_photo_through_augmentation(run) -> None:
    """Sky is bright and road is dark in these photos, so a crop whose label slipped would mix them."""
    _, sampler, _ = run
    for i in range(8):
        batch = sampler.cut_batch(i, 1)
        luma = batch.photo.float().mean(dim=1)
        sky, road = luma[batch.class_index == 0], luma[batch.class_index == 3]
        if len(sky) and len(road):
            assert sky.mean() > road.mean() + 50
