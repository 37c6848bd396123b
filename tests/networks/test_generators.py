"""Generators serve any size, and the compact one looks at a limited neighbourhood."""

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from sflow_pipeline.config.network_recipes import GeneratorRecipe
from sflow_pipeline.networks.edges.dned import Dned, fuse_sides, uniform_alpha
from sflow_pipeline.networks.generators.compact import CompactGenerator
from sflow_pipeline.networks.generators.generator import build_generator


@pytest.mark.parametrize("kind", ["compact", "resnet", "unet", "global_local"])
@pytest.mark.parametrize("size", [(64, 96), (37, 53), (8, 8), (1, 1)])
def test_any_size_comes_back_at_its_own_size(kind: str, size: tuple[int, int]) -> None:
    generator = build_generator(GeneratorRecipe(kind=kind, width=9, blocks=1), classes=3)
    with torch.no_grad():
        photo = generator(torch.zeros(1, 3, *size), torch.zeros(1, 1, *size))
    assert photo.shape == (1, 3, *size)
    assert photo.abs().max() <= 1


@pytest.mark.parametrize(
    ("kind", "width", "blocks", "classes", "millions"),
    [
        # pix2pixHD's global generator: 64 channels, 4 downsamplings, 9 blocks.
        ("resnet", 64, 9, 35, 182),
        # pix2pix's unet_256 from three channels.
        ("unet", 64, 8, 2, 54.4),
        # pix2pixHD's local enhancer adds 0.3 million to the global generator.
        ("global_local", 64, 9, 35, 183),
    ],
)
def test_published_networks_have_their_published_size(
    kind: str, width: int, blocks: int, classes: int, millions: float
) -> None:
    with torch.device("meta"):
        generator = build_generator(GeneratorRecipe(kind=kind, width=width, blocks=blocks), classes)
    assert sum(p.numel() for p in generator.parameters()) / 1e6 == pytest.approx(millions, rel=0.005)


@pytest.mark.parametrize("kind", ["compact", "resnet", "unet", "global_local"])
def test_without_edges_a_generator_sees_the_semantic_map_alone(kind: str) -> None:
    torch.manual_seed(0)
    semantic, other = torch.rand(2, 1, 3, 32, 32).unbind()
    edge = torch.rand(1, 1, 32, 32)
    shown = build_generator(GeneratorRecipe(kind=kind, width=9, blocks=2), classes=3)
    blind = build_generator(GeneratorRecipe(kind=kind, width=9, blocks=2, use_edges=False), classes=3)
    with torch.no_grad():
        assert not torch.equal(shown(semantic, edge), shown(semantic, 1 - edge))
        assert torch.equal(blind(semantic, edge), blind(semantic, 1 - edge))
        assert not torch.equal(blind(semantic, edge), blind(other, edge))


def test_compact_paints_a_crop_as_it_paints_the_whole() -> None:
    """No statistics of the whole picture: away from the cut, a crop has the same pixels, so tiles do not show."""
    torch.manual_seed(0)
    generator = build_generator(GeneratorRecipe(kind="compact", width=9, blocks=1), classes=3)
    semantic, edge = torch.rand(1, 3, 320, 512), torch.rand(1, 1, 320, 512)
    with torch.no_grad():
        whole = generator(semantic, edge)
        left = generator(semantic[..., :384], edge[..., :384])
    assert torch.allclose(whole[..., :192], left[..., :192], atol=1e-5)
    assert not torch.allclose(whole[..., 352:384], left[..., 352:384], atol=1e-5)


def test_a_frame_does_not_depend_on_its_neighbours_in_the_batch() -> None:
    torch.manual_seed(0)
    generator = build_generator(GeneratorRecipe(kind="compact", width=9, blocks=1), classes=3)
    semantic, edge = torch.rand(3, 3, 32, 48), torch.rand(3, 1, 32, 48)
    with torch.no_grad():
        alone, together = generator(semantic[:1], edge[:1]), generator(semantic, edge)[:1]
    assert torch.allclose(alone, together, atol=1e-5)


def test_alpha_changes_the_edge_map() -> None:
    torch.manual_seed(0)
    sides = Dned()(torch.rand(1, 1, 33, 47))
    fine = fuse_sides(sides, torch.tensor([[1.0, 0, 0, 0, 0]]))
    assert fine.shape == (1, 1, 33, 47)
    assert not torch.allclose(fine, fuse_sides(sides, uniform_alpha(1)))
    assert torch.allclose(fine, torch.sigmoid(sides[:, :1]))


def test_the_compact_generators_head_is_a_convolution_of_the_unshuffled_input() -> None:
    torch.manual_seed(0)
    generator = CompactGenerator(classes=5, width=9, blocks=1)
    seen = torch.randn(2, 6, 32, 48)
    assert torch.allclose(generator._head(seen), generator.head(F.pixel_unshuffle(seen, 2)), atol=1e-5)


def test_the_compact_generator_prints_no_chequerboard_on_a_flat_area() -> None:
    """Its sub-pixels are given weights that have nothing to do with each other, which is what training does to them."""
    torch.manual_seed(0)
    generator = CompactGenerator(classes=12, width=12, blocks=1).double()
    torch.nn.init.normal_(generator.to_full.weight, std=0.2)
    torch.nn.init.normal_(generator.refine.weight, std=0.2)
    road = torch.zeros(1, 12, 192, 192, dtype=torch.float64)
    road[:, 3] = 1
    with torch.no_grad():
        photo = generator(road, torch.zeros(1, 1, 192, 192, dtype=torch.float64))
    inside = photo[..., 80:112, 80:112]
    assert inside.std(dim=(2, 3)).max() < 1e-9


def test_bilinear_upsampling_makes_the_compact_generator_follow_a_move_of_the_picture() -> None:
    """A picture that moves by half the stride: the same weights paint it more alike than with nearest pixels."""
    changes = {}
    for upsampling in ("nearest", "bilinear"):
        torch.manual_seed(0)
        recipe = GeneratorRecipe(kind="compact", width=9, blocks=1, upsampling=upsampling)
        generator = build_generator(recipe, classes=3)
        smooth = F.avg_pool2d(torch.rand(1, 4, 328, 328), 9, 1, 4).mul(4).sub(1.5)
        with torch.no_grad():
            here = generator(smooth[:, :3, :320, :320], smooth[:, 3:, :320, :320])
            moved = generator(smooth[:, :3, 8:, 8:], smooth[:, 3:, 8:, 8:])
        inside = here[..., 128:200, 128:200]
        changes[upsampling] = ((inside - moved[..., 120:192, 120:192]).std() / inside.std()).item()
    assert changes["bilinear"] < 0.8 * changes["nearest"]


def test_bilinear_upsampling_of_another_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="upsampling bilinear is the compact generator's, and kind is resnet"):
        GeneratorRecipe(kind="resnet", upsampling="bilinear")
