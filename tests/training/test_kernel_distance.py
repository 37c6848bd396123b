"""Kernel distance of converted frames as a loss: against scikit-learn, what it asks for, and what it remembers."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import polynomial_kernel
from torch import Tensor

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.networks.device import Device
from sflow_pipeline.networks.features.perceptual import PerceptualNetwork
from sflow_pipeline.training.data.crops import CropOrigins
from sflow_pipeline.training.data.photo_set import PhotoEntry, PhotoFacts, PhotoSet, pack_photo_set
from sflow_pipeline.training.process_group import SINGLE_PROCESS
from sflow_pipeline.training.step.kernel_distance import KernelReference, kernel_loss, measure_kernel_references
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.step_rng import StepRng

pytestmark = pytest.mark.usefixtures("one_thread")


class Moments(PerceptualNetwork):
    """Mean and deviation of each channel of a picture, and its mean step: differences that a network would see."""

    name = "moments"

    def embed(self, photo: Tensor) -> Tensor:
        steps = [(photo - photo.roll(1, dim)).abs().mean(dim=(1, 2, 3))[:, None] for dim in (2, 3)]
        deviation = (photo.var(dim=(2, 3)) + 1e-6).sqrt()
        return torch.cat((1 + photo.mean(dim=(2, 3)), deviation, *steps), dim=1)


class Measured(NamedTuple):
    """References of photos and of two simulators, and a state to train."""

    references: list[KernelReference]
    state: TrainingState

    def cost(self, fake: Tensor, source: int, seed: int = 0) -> Tensor:
        origins = CropOrigins(torch.full((len(fake),), source), torch.full((len(fake),), 768.0))
        return kernel_loss(self.state, fake, origins, self.references, StepRng(seed, 0, len(fake)), SINGLE_PROCESS)


def pack(folder: Path, pictures: list[np.ndarray], **facts: list[object]) -> PhotoSet:
    entries = [
        PhotoEntry(
            PhotoFacts(str(i), **{k: v[i] for k, v in facts.items()}),  # type: ignore[arg-type]
            picture,
            np.zeros(picture.shape[:2], np.uint8),
        )
        for i, picture in enumerate(pictures)
    ]
    return pack_photo_set(entries, folder)


def measure_distance(first: Tensor, second: Tensor) -> float:
    """Unbiased MMD² with KID's kernel."""

    def kernel(x: Tensor, y: Tensor) -> np.ndarray:
        return np.asarray(polynomial_kernel(x.double().numpy(), y.double().numpy(), degree=3, coef0=1))

    within = sum((k.sum() - np.trace(k)) / len(k) / (len(k) - 1) for k in (kernel(x, x) for x in (first, second)))
    return float(within - 2 * kernel(first, second).mean())


def grain(seed: int, color: tuple[int, int, int] = (120, 120, 120)) -> np.ndarray:
    """A grey picture (300, 768, 3) with coarse grain."""
    noise = np.random.default_rng(seed).normal(0, 40, (75, 192)).astype(np.float32)
    return (cv2.resize(noise, (768, 300))[..., None] + np.array(color)).clip(0, 255).astype(np.uint8)


def flat(seed: int, color: tuple[int, int, int]) -> np.ndarray:
    shade = np.random.default_rng(seed).integers(-20, 20)
    return np.full((300, 768, 3), np.array(color) + shade, np.uint8)


@pytest.fixture
def sets(tmp_path: Path) -> tuple[PhotoSet, PhotoSet]:
    """Photos with grain, two of which are no reference and red; a flat simulator, and one that looks like photos."""
    red = [grain(i, (220, 20, 20)) for i in (90, 91)]
    photos = pack(tmp_path / "photos", [*(grain(i) for i in range(12)), *red], is_reference=[True] * 12 + [False] * 2)
    frames = [*(flat(i, (60, 140, 60)) for i in range(3)), *(grain(50 + i) for i in range(5))]
    return photos, pack(tmp_path / "renders", frames, source=[0] * 3 + [1] * 5)


@pytest.fixture
def measured(sets: tuple[PhotoSet, PhotoSet], change_recipe: Callable[..., Recipe]) -> Measured:
    references = measure_kernel_references([Moments()], *sets, seed=1, device=Device("cpu"))
    return Measured(references, TrainingState(change_recipe(), 12))


def test_units_are_the_kernel_distances_of_scikit_learn(measured: Measured) -> None:
    (reference,) = measured.references
    assert len(reference.photos) == 4 * 12  # those that are no reference have no view
    assert reference.photos.square().mean().sqrt().item() == pytest.approx(1, abs=1e-4)
    far, near = (measure_distance(x, reference.photos) for x in reference.renders.values())
    assert reference.units[0] == pytest.approx(far, rel=1e-6)
    assert far > 10 * abs(near)
    assert reference.units[1] >= 0.05


def test_gradients_lead_to_the_photos(measured: Measured) -> None:
    """Pictures that begin as the simulator's frames end nearer to photos by scikit-learn's kernel."""
    (reference,) = measured.references
    start = torch.from_numpy(np.stack([flat(i, (60, 140, 60))[:200, :300] for i in range(4)])).permute(0, 3, 1, 2)
    fake = (start.float() / 127.5 - 1).requires_grad_(True)
    optimizer = torch.optim.Adam([fake], lr=0.03)
    for step in range(30):
        loss = measured.cost(fake, 0, seed=step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    last = measured.state.memory["0/0"][-32:]
    assert measure_distance(last, reference.photos) < 0.5 * reference.units[0]


def test_a_simulator_remembers_its_own_last_views_alone(measured: Measured) -> None:
    fake = torch.zeros(2, 3, 200, 300)
    for seed in range(30):
        measured.cost(fake, 0, seed)
    assert measured.state.memory.keys() == {"0/0"}
    assert len(measured.state.memory["0/0"]) == 96
    assert not torch.isin(measured.state.memory["0/0"], measured.references[0].renders[0]).all(dim=1).any()


def test_crops_too_small_for_a_view_add_nothing(measured: Measured) -> None:
    fake = torch.zeros(2, 3, 64, 96, requires_grad=True)
    loss = measured.cost(fake, 0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert fake.grad is not None
    assert fake.grad.abs().sum() == 0
    assert not measured.state.memory


def test_no_reference_is_refused(sets: tuple[PhotoSet, PhotoSet], tmp_path: Path) -> None:
    photos = pack(tmp_path / "none", [grain(0)], is_reference=[False])
    with pytest.raises(TrainingError, match="no photo is there to compare with") as caught:
        measure_kernel_references([Moments()], photos, sets[1], 0, Device("cpu"))
    assert "reference: true" in str(caught.value.hint)
