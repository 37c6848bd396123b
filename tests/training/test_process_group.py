"""Two processes that share each batch train the networks as one process with the whole batch does."""

import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.networks.device import Device
from sflow_pipeline.networks.features.squeezenet import SqueezeNetFeatures
from sflow_pipeline.training.data.crops import CropSampler
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.data.real_photos import load_real_photos
from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup
from sflow_pipeline.training.run.loop import run_training
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.state import build_state
from sflow_pipeline.training.step.train_step import train_step

STEPS = 3
LEARNERS = ("generator", "discriminator", "dned", "semantic_discriminator")


def take_steps(recipe: Recipe, photos: Path, group: ProcessGroup) -> dict[str, object]:
    """Terms of a few steps, and every weight before and after."""
    torch.set_num_threads(1)
    torch.manual_seed(5)
    perceptual = SqueezeNetFeatures().eval().requires_grad_(False)
    state = build_state(recipe, perceptual, "cpu")
    before = {key: tensor.clone() for key, tensor in state.to_tensors().items()}
    photo_set = PhotoSet(photos)  # which are the simulator's frames, too
    sampler = CropSampler(photo_set, recipe.schedule, recipe.seed, renders=photo_set)
    context = StepContext.build(recipe, photo_set, Device("cpu"), perceptual, group, renders=photo_set)
    batch = recipe.schedule.batch_size
    terms = [train_step(state, sampler.cut_batch(state.images_seen, batch, group), context) for _ in range(STEPS)]
    return {"terms": terms, "before": before, "after": state.to_tensors()}


def leave() -> None:
    """End this process at once: torch's threads now and then abort one that has left its group and ends as usual."""
    dist.barrier()
    dist.destroy_process_group()
    os._exit(0)


def work(rank: int, recipe_json: str, photos: str, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    found = take_steps(Recipe.model_validate_json(recipe_json), Path(photos), ProcessGroup(rank, 2))
    torch.save(found, f"{folder}/rank{rank}.pt")
    leave()


def disagree(rank: int, recipe_json: str, photos: str, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    recipe = Recipe.model_validate_json(recipe_json)
    state = build_state(recipe, SqueezeNetFeatures(), "cpu")
    state.images_seen = 4 * rank  # as if one of them saw no checkpoint
    sampler = CropSampler(PhotoSet(Path(photos)), recipe.schedule, recipe.seed)
    context = StepContext(recipe, 12, Device("cpu"), None, ProcessGroup(rank, 2))
    with pytest.raises(TrainingError, match=r"do not hold the same weights, after 0 and 4 images") as caught:
        run_training(state, sampler, sampler, context, Path(folder) / "out")
    assert "storage that every machine has" in caught.value.hint
    assert not (Path(folder) / "out").exists()
    leave()


@pytest.fixture
def recipe(tiny_recipe: Recipe) -> Recipe:
    """Every term there is, in the joint stage, on batches of four."""
    fields = tiny_recipe.model_dump()
    fields["schedule"] |= {"batch_size": 4, "laplacian_images": 0, "joint_images": 1000, "crop_px": (48, 48)}
    fields["schedule"]["render_batch_size"] = 4
    fields["generator"] |= {"use_palette": True, "use_appearance": True}
    fields["discriminator"]["semantic_width"] = 8
    fields["loss"] |= {"r1": 1.0, "r1_every_steps": 2, "l1": 1.0, "kernel": 1.0}
    return Recipe.model_validate(fields)


@pytest.fixture
def photos(camvid: Path, recipe: Recipe, tmp_path: Path) -> Path:
    return load_real_photos(str(camvid), recipe, tmp_path / "cache")[0].folder


def measure_distance(a: dict[str, Tensor], b: dict[str, Tensor], network: str) -> float:
    keys = [key for key in a if key.startswith(f"{network}/")]
    return sum((a[key] - b[key]).double().square().sum().item() for key in keys) ** 0.5


def test_two_processes_learn_what_one_does(recipe: Recipe, photos: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    alone = take_steps(recipe, photos, SINGLE_PROCESS)
    torch.set_num_threads(threads)
    mp.spawn(work, (recipe.model_dump_json(), str(photos), str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in range(2))
    assert all(torch.equal(first["after"][key], second["after"][key]) for key in first["after"])
    assert first["terms"] == second["terms"]
    assert {"r1", "perceptual", "l1", "semantic", "semantic_discriminator", "render_kernel"} <= alone["terms"][0].keys()
    # Views of all crops are remembered in the order of the batch.
    torch.testing.assert_close(first["after"]["memory/0/0"], alone["after"]["memory/0/0"], rtol=1e-3, atol=1e-5)
    for ours, theirs in zip(first["terms"], alone["terms"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
    for network in LEARNERS:
        # Gradients are added in another order, and Adam's first steps take only the sign of one that is nearly zero.
        moved = measure_distance(alone["before"], alone["after"], network)
        assert measure_distance(first["after"], alone["after"], network) < 0.01 * moved


def test_processes_that_see_different_checkpoints_stop(recipe: Recipe, photos: Path, tmp_path: Path) -> None:
    mp.spawn(disagree, (recipe.model_dump_json(), str(photos), str(tmp_path)), nprocs=2)
