"""Detail that is held: what a render shows stays, what generators invent goes, and the rest is theirs."""

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.appearance.detail import Surface, hold_detail, list_surfaces

_HEIGHT, _WIDTH = 160, 240


def _hold(
    image: NDArray[np.float64], render: NDArray[np.float64], surface: NDArray[np.int64] | Surface, strength: float = 1.0
) -> NDArray[np.float64]:
    """Grey pictures of 0 to 255 in and out."""
    tensors = [torch.from_numpy(x / 127.5 - 1).float().expand(1, 3, -1, -1).contiguous() for x in (image, render)]
    kinds = torch.from_numpy(np.broadcast_to(np.asarray(surface, np.int64), image.shape).copy())[None, None]
    held = hold_detail(*tensors, kinds, torch.full((1, 1, 1, 1), strength))
    return (held[0].numpy()[1].astype(np.float64) + 1) * 127.5


def _plain(level: float) -> NDArray[np.float64]:
    return np.full((_HEIGHT, _WIDTH), level)


def _hatch(level: float, contrast: float = 30) -> NDArray[np.float64]:
    rows, columns = np.indices((_HEIGHT, _WIDTH))
    return level + contrast * (((rows + columns) // 4) % 2 - 0.5)


def _letters(level: int, text_level: int) -> NDArray[np.float64]:
    picture = np.full((_HEIGHT, _WIDTH), level, np.uint8)
    cv2.putText(picture, "CARGO", (30, 100), cv2.FONT_HERSHEY_SIMPLEX, 2, text_level, 6)
    return picture.astype(np.float64)


def _leaves(level: float, seed: int) -> NDArray[np.float64]:
    """Blotches of 1 px whose deviation is 0.4 of their mean."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(_HEIGHT, _WIDTH)), (0, 0), 1)
    return np.clip(level * (1 + 0.4 * noise / noise.std()), 0, 255)


def _share_of(part: NDArray[np.float64], whole: NDArray[np.float64]) -> float:
    """How much of a picture is in another, as the slope of a regression."""
    centred = part - part.mean()
    return float((centred * whole).sum() / (centred**2).sum())


@pytest.mark.parametrize("surface", [Surface.WHOLE, Surface.PANELS])
def test_what_is_drawn_on_plain_skies_and_panels_goes_and_the_light_stays_the_images(surface: Surface) -> None:
    held = _hold(_hatch(90), _plain(60), surface)
    assert held.std() < 2
    assert held.mean() == pytest.approx(90, abs=2)


def test_letters_on_the_side_of_a_large_vehicle_can_be_read() -> None:
    render = _letters(40, 90)
    image = 0.5 * render + _hatch(30, contrast=50)
    held = _hold(image, render, Surface.PANELS)
    assert np.corrcoef(image.ravel(), render.ravel())[0, 1] < 0.4
    assert np.corrcoef(held.ravel(), render.ravel())[0, 1] > 0.95


def test_a_small_vehicle_with_detail_of_its_own_is_the_generators() -> None:
    car = np.zeros((_HEIGHT, _WIDTH), np.int64)
    car[70:82, 100:118] = Surface.PANELS
    rng = np.random.default_rng(0)
    render, image = (rng.uniform(0, 100, (_HEIGHT, _WIDTH)) for _ in range(2))
    np.testing.assert_allclose(_hold(image, render, car), image, atol=1e-3)


def test_leaves_of_the_render_stay_and_a_plain_crown_gets_the_generators() -> None:
    leaves, other = _leaves(70, seed=0), _leaves(70, seed=1)
    held = _hold(other, leaves, Surface.CROWNS)
    assert _share_of(leaves, held) > 0.4
    assert _share_of(other, held) < 0.5
    np.testing.assert_allclose(_hold(other, _plain(70), Surface.CROWNS), other, atol=1e-3)


def test_leaves_in_the_dark_stay_too() -> None:
    leaves, other = _leaves(20, seed=0), _leaves(20, seed=1)
    held = _hold(other, leaves, Surface.CROWNS)
    assert _share_of(leaves, held) > 0.25


def test_bright_ground_gets_no_hatch_and_dark_ground_keeps_the_generators() -> None:
    assert _hold(_hatch(200), _plain(210), Surface.FREE).std() < 2
    np.testing.assert_allclose(_hold(_hatch(90), _plain(100), Surface.FREE), _hatch(90), atol=1e-3)


def test_a_map_without_detail_holds_flat_panels_alone() -> None:
    image, render = _hatch(90), _plain(90)
    np.testing.assert_allclose(_hold(image, render, Surface.WHOLE, strength=0.6), image, atol=1e-3)
    assert _hold(image, render, Surface.PANELS, strength=0.6).std() == pytest.approx(0.4 * image.std(), rel=0.1)
    np.testing.assert_allclose(_hold(image, render, Surface.PANELS, strength=0.0), image, atol=1e-3)


def test_an_object_keeps_its_contrast_to_what_is_behind_it() -> None:
    """A dark truck in front of a sky that the generator made bright: no part of the change crosses the border."""
    truck = np.full((_HEIGHT, _WIDTH), int(Surface.WHOLE))
    truck[60:, 80:160] = Surface.FREE
    render = np.where(truck == Surface.WHOLE, 120.0, 20.0)
    image = np.where(truck == Surface.WHOLE, 140.0, 20.0)
    held = _hold(image, render, truck)
    np.testing.assert_allclose(held[truck == Surface.FREE], 20, atol=1e-3)
    assert held[:50, :70].mean() == pytest.approx(140, abs=2)


def test_every_label_space_has_surfaces_for_sky_vehicles_and_void() -> None:
    for name in ("camvid11", "cityscapes19", "carla-0.9.14"):
        space = load_label_space(name)
        surfaces = {item.name: surface for item, surface in zip(space.classes, list_surfaces(space), strict=True)}
        assert surfaces["sky"] == Surface.WHOLE, name
        assert surfaces["car"] == Surface.PANELS, name
        assert surfaces["road"] == Surface.FREE, name
