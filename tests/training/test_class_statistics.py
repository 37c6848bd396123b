"""Statistics of features by class: against NumPy, and what the loss on them asks for."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.networks.device import Device
from sflow_pipeline.networks.features.perceptual import SqueezeNetFeatures
from sflow_pipeline.tensors import to_unit_range
from sflow_pipeline.training.data.crops import CropSampler
from sflow_pipeline.training.data.real_photos import load_real_photos
from sflow_pipeline.training.step.class_statistics import (
    PhotoStatistics,
    measure_class_statistics,
    measure_photo_statistics,
    statistics_loss,
)


class Measured(NamedTuple):
    """Photos, a network with random weights, and the statistics of its features of them."""

    sampler: CropSampler
    network: SqueezeNetFeatures
    photos: list[PhotoStatistics]

    def cost(self, picture: Tensor, class_index: Tensor) -> Tensor:
        return statistics_loss(self.photos, self.network(picture), class_index)


@pytest.fixture
def measured(change_recipe: Callable[..., Recipe], camvid: Path, tmp_path: Path) -> Measured:
    recipe = change_recipe(schedule={"crop_px": (64, 64)})
    photos, _ = load_real_photos(str(camvid), recipe, tmp_path / "cache")
    sampler = CropSampler(photos, recipe.schedule, recipe.seed)
    torch.manual_seed(0)
    network = SqueezeNetFeatures()
    return Measured(sampler, network, measure_photo_statistics(network, sampler, 12, Device("cpu")))


def test_means_and_deviations_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    feature = rng.normal(2, 3, (2, 5, 16, 24)).astype(np.float32)
    labels = np.zeros((2, 16, 24), np.uint8)
    labels[:, :, 12:] = 1
    labels[1, 8:, 12:] = 2
    (found,) = measure_class_statistics([torch.from_numpy(feature)], torch.from_numpy(labels), classes=4)
    for image in range(2):
        for label in range(4):
            pixels = feature[image][:, labels[image] == label]
            assert found.cells[image, label] == pixels.shape[1]
            if pixels.shape[1]:
                expected = np.concatenate([pixels.mean(1), np.log(pixels.std(1))])
                np.testing.assert_allclose(found.values[image, label].numpy(), expected, atol=1e-3)


def test_cells_on_a_border_belong_to_no_class() -> None:
    labels = torch.zeros(1, 32, 32, dtype=torch.uint8)
    labels[:, :, 14:] = 1  # of four cells across, the second is shared
    (found,) = measure_class_statistics([torch.zeros(1, 1, 4, 4)], labels, classes=2)
    assert found.cells[0].tolist() == [4.0, 8.0]


def test_photos_cost_little_and_other_pictures_more(measured: Measured) -> None:
    """Crops with numbers beyond those that were measured: as they are, blurred, and with red and blue exchanged."""
    assert measured.photos[0].is_known[[0, 3, 5]].tolist() == [True, True, False]  # sky, road, trees
    batch = measured.sampler.cut_batch(1000, 8)
    photo = to_unit_range(batch.photo)

    def cost(picture: Tensor) -> float:
        return measured.cost(picture, batch.class_index).item()

    assert cost(photo) < 0.5
    assert cost(F.avg_pool2d(photo, 5, 1, 2, count_include_pad=False)) > 2 * cost(photo)
    assert cost(photo.flip(1)) > 2 * cost(photo)


def test_gradients_lead_to_the_photos(measured: Measured) -> None:
    class_index = measured.sampler.cut_batch(0, 2).class_index
    picture = torch.zeros(2, 3, 64, 64, requires_grad=True)
    optimizer = torch.optim.Adam([picture], lr=0.05)
    costs = []
    for _ in range(30):
        loss = measured.cost(picture, class_index)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        costs.append(loss.item())
    assert costs[-1] < 0.5 * costs[0]


def test_a_class_that_photos_lack_costs_nothing(measured: Measured) -> None:
    trees = torch.full((1, 64, 64), 5, dtype=torch.uint8)
    assert measured.cost(torch.rand(1, 3, 64, 64), trees).item() == 0
