"""The appearance map: from class means to the picture itself, without colours leaking over class borders."""

import cv2
import numpy as np
import pytest
import torch

from sflow_pipeline.networks.appearance.appearance import average_within_classes, build_appearance_map
from sflow_pipeline.networks.appearance.palette import build_own_palette_map, measure_palette
from sflow_pipeline.networks.generators.generator import GeneratorRecipe, build_generator


@pytest.fixture
def scene() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    labels = torch.zeros(2, 45, 70, dtype=torch.uint8)
    labels[:, 20:, 10:] = 1
    labels[1, :, 50:] = 2
    return torch.rand(2, 3, 45, 70, generator=rng) * 2 - 1, labels


def test_at_zero_it_is_the_pictures_own_palette(scene: tuple[torch.Tensor, torch.Tensor]) -> None:
    picture, labels = scene
    result = build_appearance_map(picture, labels, 3, torch.zeros(2))
    assert torch.equal(result, build_own_palette_map(picture, labels, 3))


def test_at_one_it_is_the_picture(scene: tuple[torch.Tensor, torch.Tensor]) -> None:
    picture, labels = scene
    assert torch.allclose(build_appearance_map(picture, labels, 3, torch.ones(2)), picture)


def test_each_image_has_its_own_strength(scene: tuple[torch.Tensor, torch.Tensor]) -> None:
    picture, labels = scene
    both = build_appearance_map(picture, labels, 3, torch.tensor([0.3, 0.9]))
    for i, strength in enumerate((0.3, 0.9)):
        one = build_appearance_map(picture[i : i + 1], labels[i : i + 1], 3, torch.tensor([strength]))
        assert torch.allclose(both[i], one[0], atol=1e-6)


def test_colours_do_not_leak_over_class_borders() -> None:
    picture = torch.full((1, 3, 64, 64), -1.0)
    labels = torch.zeros(1, 64, 64, dtype=torch.uint8)
    labels[..., 31:] = 1
    picture[..., 31:] = 1.0
    for strength in (0.2, 1 / 3, 0.5, 2 / 3):
        result = build_appearance_map(picture, labels, 2, torch.tensor([strength]))
        assert torch.allclose(result, picture, atol=1e-5)


def test_cells_of_one_class_are_opencvs_area_means() -> None:
    rng = np.random.default_rng(0)
    picture = rng.uniform(-1, 1, (64, 96, 3)).astype(np.float32)
    labels = torch.zeros(1, 64, 96, dtype=torch.uint8)
    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None]
    means, _ = measure_palette(tensor, labels, 1)
    small = cv2.resize(picture, (6, 4), interpolation=cv2.INTER_AREA)
    share = 2 / (256 + 2)  # of the prior in a cell of 16x16 px
    expected = cv2.resize(small * (1 - share) + picture.mean((0, 1)) * share, (96, 64), interpolation=cv2.INTER_LINEAR)
    result = average_within_classes(tensor, labels, means, 16)
    assert np.abs(result[0].permute(1, 2, 0).numpy() - expected).max() < 1e-4


def test_a_palette_moves_the_means_and_keeps_the_detail(scene: tuple[torch.Tensor, torch.Tensor]) -> None:
    picture, labels = scene
    palette = torch.zeros(2, 3, 3)
    own = build_own_palette_map(picture, labels, 3)
    at_zero = build_appearance_map(picture, labels, 3, torch.zeros(2), palette)
    assert at_zero.abs().max() < 1e-6
    result = build_appearance_map(picture, labels, 3, torch.ones(2), palette)
    assert result.mean(dim=(2, 3)).abs().max() < 0.2 * own.abs().max() + 0.05
    inside = np.s_[0, 0, 25:, 15:]
    detail = [x[inside].flatten() - x[inside].mean() for x in (result, picture)]
    assert torch.corrcoef(torch.stack(detail))[0, 1] > 0.95


def test_a_wrong_label_border_does_not_show_in_the_colours() -> None:
    """The label of a uniform road changes in its middle, and its colours do not; a real border stays a border."""
    picture = torch.full((1, 3, 96, 128), 0.1)
    picture[:, :, :40] = 0.9  # sky
    labels = torch.zeros(1, 96, 128, dtype=torch.uint8)
    labels[:, 40:] = 1
    labels[:, 40:, 64:] = 2  # half of the road is labelled as something else
    palette = torch.tensor([[[0.9] * 3, [-0.4] * 3, [0.6] * 3]])
    result = build_appearance_map(picture, labels, 3, torch.ones(1), palette)[0, 0]
    across = result[70].diff().abs().max()
    assert across < 0.08  # of a difference of 1.0 between the palette's colours
    assert result[30].mean() - result[50].mean() > 0.5


def test_the_compact_generator_is_given_full_resolution_detail() -> None:
    torch.manual_seed(0)
    recipe = GeneratorRecipe(width=9, blocks=1, use_palette=True, use_appearance=True)
    generator = build_generator(recipe, classes=2)
    semantic = torch.zeros(1, 5, 32, 32)
    checks = semantic.clone()
    checks[:, 2:, ::2, ::2] = 1.0
    checks[:, 2:, 1::2, 1::2] = 1.0
    edge = torch.zeros(1, 1, 32, 32)
    difference = (generator(checks, edge) - generator(semantic, edge)).detach()[0, 0, 8:24, 8:24]
    assert (difference[::2, ::2] - difference[::2, 1::2]).abs().mean() > 1e-4
