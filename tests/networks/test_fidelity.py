"""What is held after the generator serves training too: on crops as on whole frames, with gradients that are finite."""

import pytest
import torch

from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.appearance.contrast import hold_contrast
from sflow_pipeline.networks.appearance.detail import hold_detail
from sflow_pipeline.networks.appearance.fidelity import ClassFidelity, hold_render, show_render

_SPACE = load_label_space("camvid11")
_HEIGHT, _WIDTH = 260, 400


def _draw_frame() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """An image, its appearance map and its classes, in columns of 50 px."""
    generator = torch.Generator().manual_seed(0)
    photo, appearance = (torch.rand(1, 3, _HEIGHT, _WIDTH, generator=generator) - 0.5 for _ in range(2))
    classes = (torch.arange(_WIDTH) // 50 + 3).expand(1, _HEIGHT, _WIDTH).to(torch.uint8)
    return photo, appearance, classes


def test_crops_are_held_as_the_frames_that_they_are_of() -> None:
    photo, appearance, classes = _draw_frame()
    surfaces = ClassFidelity.build(_SPACE, "cpu").surfaces
    strength = torch.ones(1, 1, 1, 1)
    place, inside = (..., slice(40, 220), slice(80, 320)), (..., slice(40, -40), slice(40, -40))

    def hold(rows_and_columns: tuple[object, ...], height: int | None) -> torch.Tensor:
        image, wanted = photo[rows_and_columns].contiguous(), appearance[rows_and_columns].contiguous()
        kinds = surfaces[classes.long()[:, None]][rows_and_columns]
        held = hold_detail(image, wanted, kinds, strength, height)
        return hold_contrast(held, wanted, strength, height)

    whole, crop = hold((...,), None)[place], hold(place, _HEIGHT)
    assert (whole - photo[place]).abs().mean() > 0.02
    assert torch.allclose(whole[inside], crop[inside], atol=1e-4)
    without_the_height = hold(place, None)
    assert not torch.allclose(whole[inside], without_the_height[inside], atol=1e-2)


@pytest.mark.parametrize("luma", [-1.0, 0.0, 0.9])
def test_gradients_are_finite_where_images_are_flat(luma: float) -> None:
    _, appearance, classes = _draw_frame()
    for wanted in (appearance, torch.full_like(appearance, luma)):
        photo = torch.full_like(appearance, luma).requires_grad_(True)
        held = hold_render(photo, wanted, classes, ClassFidelity.build(_SPACE, "cpu"), torch.ones(1))
        held.square().sum().backward()
        assert photo.grad is not None
        assert photo.grad.isfinite().all()


def test_images_that_do_not_follow_a_render_stay() -> None:
    photo, appearance, classes = _draw_frame()
    held = hold_render(photo, appearance, classes, ClassFidelity.build(_SPACE, "cpu"), torch.zeros(1))
    assert torch.equal(held, photo)


def test_of_surfaces_the_generator_is_given_less_grain_and_of_objects_everything() -> None:
    generator = torch.Generator().manual_seed(1)
    grain = (torch.rand(1, 1, _HEIGHT, _WIDTH, generator=generator) * 0.06).expand(1, 3, -1, -1).contiguous()
    classes = torch.full((1, _HEIGHT, _WIDTH), _SPACE.names.index("road"), dtype=torch.uint8)
    classes[:, :, 150:] = _SPACE.names.index("car")
    fidelity = ClassFidelity.build(_SPACE, "cpu")
    shown = show_render(grain, classes, fidelity, torch.ones(1))
    assert shown[..., :140].std() < 0.5 * grain[..., :140].std()
    assert torch.equal(shown[..., 150:], grain[..., 150:])
    assert torch.equal(show_render(grain, classes, fidelity, torch.tensor([2 / 3])), grain)


def test_lines_on_a_road_stay_where_they_are_bright_or_vivid() -> None:
    road = torch.zeros(1, 3, _HEIGHT, _WIDTH)
    road[..., 100:110] = 0.4
    road[:, :2, :, 200:210] = 0.5  # yellow
    classes = torch.full((1, _HEIGHT, _WIDTH), _SPACE.names.index("road"), dtype=torch.uint8)
    shown = show_render(road, classes, ClassFidelity.build(_SPACE, "cpu"), torch.ones(1))
    assert (shown[..., 103:107] - road[..., 103:107]).abs().max() < 0.05
    assert (shown[..., 203:207] - road[..., 203:207]).abs().max() < 0.05
