"""Local brightness near the render's: no stains that the simulator does not show, and texture stays."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.networks.appearance.brightness import hold_brightness

_SIZE = (256, 384)


def _hold(image: NDArray[np.float32], render: NDArray[np.float32], strength: float = 1.0) -> NDArray[np.float32]:
    """Grey pictures of 0 to 255."""
    tensors = (torch.from_numpy(x / 127.5 - 1).float().expand(1, 3, -1, -1).contiguous() for x in (image, render))
    held = hold_brightness(*tensors, torch.full((1, 1, 1, 1), strength))
    return ((held[0].mean(dim=0) + 1) * 127.5).numpy()


def _draw_wall() -> NDArray[np.float32]:
    """Texture of 6 grey levels around 140."""
    noise = np.random.default_rng(0).normal(0, 6, _SIZE)
    return (140 + noise).astype(np.float32)


def test_stains_are_lifted_to_the_render_and_texture_stays() -> None:
    wall = _draw_wall()
    render = np.full(_SIZE, 140, np.float32)
    spot = cv2.GaussianBlur(np.pad(np.ones((60, 60), np.float32), ((98, 98), (162, 162))), (0, 0), 6)
    held = _hold(wall - 60 * spot, render)
    middle = np.s_[118:138, 182:202]
    assert abs(float(held[middle].mean()) - (140 - 12)) < 1.5
    far = np.s_[:60, :]
    assert np.abs(held[far] - wall[far]).max() < 0.01
    fine = held - cv2.GaussianBlur(held, (0, 0), 4)
    wanted = wall - cv2.GaussianBlur(wall, (0, 0), 4)
    assert np.corrcoef(fine[middle].ravel(), wanted[middle].ravel())[0, 1] > 0.98


def test_bright_spots_are_lowered_as_dark_ones_are_lifted() -> None:
    render = np.full(_SIZE, 100, np.float32)
    held = _hold(render + 50, render)
    assert np.allclose(held, 112, atol=0.5)


def test_small_differences_stay() -> None:
    wall = _draw_wall()
    assert np.allclose(_hold(wall + 8, np.full(_SIZE, 140, np.float32)), wall + 8, atol=0.01)


def test_steps_of_the_render_get_no_halo() -> None:
    render = np.full(_SIZE, 40, np.float32)
    render[:, 192:] = 210
    held = _hold(render * 0.95, render)
    assert np.abs(held - render * 0.95).max() < 2


def test_coarse_appearance_maps_hold_nothing() -> None:
    render = np.full(_SIZE, 140, np.float32)
    assert np.allclose(_hold(render - 60, render, strength=0.6), render - 60, atol=0.01)
