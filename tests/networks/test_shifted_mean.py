"""The mean of shifted copies: it follows a moving picture better, and one copy is the generator itself."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sflow_pipeline.config.network_recipes import GeneratorRecipe
from sflow_pipeline.networks.generators.generator import build_generator
from sflow_pipeline.networks.shifted_mean import SHIFTS_PX, ShiftedMean


def paint(generator: torch.nn.Module, picture: Tensor, left: int) -> Tensor:
    with torch.no_grad():
        image: Tensor = generator(picture[:, :3, :, left : left + 320], picture[:, 3:, :, left : left + 320])
    return image


def test_more_shifts_follow_a_moving_picture_better() -> None:
    torch.manual_seed(0)
    generator = build_generator(GeneratorRecipe(kind="compact", width=9, blocks=1), classes=3)
    picture = F.avg_pool2d(torch.rand(1, 4, 320, 336), 9, 1, 4).mul(4).sub(1.5)
    changes = []
    for count in (1, 2, 4, 8):
        mean = ShiftedMean(generator, count)
        here, moved = paint(mean, picture, 0), paint(mean, picture, 5)
        inside = here[..., 128:192, 128:192]
        changes.append(((inside - moved[..., 128:192, 123:187]).std() / inside.std()).item())
    assert changes[1] < 0.9 * changes[0]
    assert changes[3] < changes[2] < changes[1]


def test_one_copy_is_the_generator_and_sizes_are_kept() -> None:
    torch.manual_seed(0)
    generator = build_generator(GeneratorRecipe(kind="compact", width=9, blocks=1), classes=3)
    given = torch.rand(2, 3, 37, 53), torch.rand(2, 1, 37, 53)
    with torch.no_grad():
        assert torch.equal(ShiftedMean(generator)(*given), generator(*given))
        assert ShiftedMean(generator, 3)(*given).shape == (2, 3, 37, 53)


def test_the_mean_is_that_of_images_moved_back() -> None:
    """A generator that returns its edge map gives it back, whatever the shifts."""

    class Echo(torch.nn.Module):
        def forward(self, _semantic_map: Tensor, edge_map: Tensor) -> Tensor:
            return edge_map.expand(-1, 3, -1, -1)

    edge = torch.rand(1, 1, 24, 40)
    assert torch.allclose(
        ShiftedMean(Echo(), 8)(torch.zeros(1, 2, 24, 40), edge), edge.expand(-1, 3, -1, -1), atol=1e-6
    )
    assert len(set(SHIFTS_PX)) == 8
