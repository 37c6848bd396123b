"""Tiny training runs: labelled photos in CamVid's layout, a recipe that takes seconds, and a run to step through."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.networks.device import Device
from sflow_pipeline.networks.features.perceptual import PerceptualNetwork
from sflow_pipeline.training.data.crops import CropSampler
from sflow_pipeline.training.data.real_photos import load_real_photos
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.state import TrainingState, build_state
from sflow_pipeline.training.step.train_step import train_step


class Run(NamedTuple):
    """State, crops and context of a run in this process, in fp32."""

    state: TrainingState
    sampler: CropSampler
    context: StepContext

    def take_step(self) -> dict[str, float]:
        """The terms of a step on a batch of two."""
        return train_step(self.state, self.sampler.cut_batch(self.state.images_seen, 2), self.context)

    def take_steps(self, count: int) -> list[dict[str, float]]:
        """The terms of so many steps."""
        return [self.take_step() for _ in range(count)]


@pytest.fixture
def make_run(camvid: Path, tmp_path: Path) -> Callable[..., Run]:
    """A run of a recipe on ``camvid``, with a perceptual network if one is given."""

    def make(recipe: Recipe, perceptual: PerceptualNetwork | None = None) -> Run:
        photos, _ = load_real_photos(str(camvid), recipe, tmp_path / "cache")
        context = StepContext.build(recipe, photos, Device("cpu"), perceptual)
        state = build_state(recipe, perceptual, "cpu")
        return Run(state, CropSampler(photos, recipe.schedule, recipe.seed), context)

    return make


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in one order, for results that are compared number by number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def change_recipe(tiny_recipe: Recipe) -> Callable[..., Recipe]:
    """The tiny recipe with other values in some of its sections."""

    def change(**sections: dict[str, object]) -> Recipe:
        content = tiny_recipe.model_dump()
        for name, values in sections.items():
            content[name] |= values
        return Recipe.model_validate(content)

    return change


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """Eight photos of one recording, 64x48, sky above road; labels in the 11 classes."""
    root = tmp_path / "CamVid"
    rng = np.random.default_rng(0)
    for i in range(8):
        label = np.where(np.arange(48)[:, None] < 20 + i, 0, 3) * np.ones((48, 64), int)
        photo = np.where(label[..., None] == 0, (200, 190, 180), (90, 90, 95)) + rng.integers(-20, 20, (48, 64, 3))
        for folder, picture in (("train", photo), ("trainannot", label)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / folder / f"0001TP_{i:06d}.png"), picture.astype(np.uint8))
    return root


@pytest.fixture
def tiny_recipe() -> Recipe:
    return Recipe.model_validate(
        {
            "name": "tiny",
            "precision": "fp32",
            "dned": {"widths": (4, 4, 4, 4, 4)},
            "generator": {"width": 9, "blocks": 1},
            "discriminator": {"width": 8, "layers": 2},
            "schedule": {
                "crop_px": (32, 32),
                "scale": (0.7, 1.0),
                "laplacian_images": 8,
                "joint_images": 12,
                "decay_images": 8,
                "checkpoint_every_images": 4,
                "sample_every_images": 20,
            },
        }
    )
