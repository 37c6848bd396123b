"""The segmenter serves any size, is small enough for git, and sees the same whoever else is in the batch."""

import pytest
import torch

from sflow_pipeline.config.network_recipes import SegmenterRecipe
from sflow_pipeline.networks.segmenters.segmenter import Segmenter


@pytest.mark.parametrize("size", [(64, 96), (37, 53), (1, 1)])
def test_any_size_comes_back_at_its_own_size(size: tuple[int, int]) -> None:
    with torch.no_grad():
        assert Segmenter(classes=5, width=6)(torch.zeros(2, 3, *size)).shape == (2, 5, *size)


def test_default_width_fits_three_megabytes() -> None:
    with torch.device("meta"):
        network = Segmenter(classes=12, width=SegmenterRecipe().width)
    assert 2 * sum(p.numel() for p in network.parameters()) <= 3_000_000


def test_neighbours_in_the_batch_change_nothing() -> None:
    torch.manual_seed(0)
    network = Segmenter(classes=5, width=6).eval()
    photos = torch.rand(3, 3, 48, 64) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(network(photos)[1], network(photos[1:2])[0], atol=1e-5)
