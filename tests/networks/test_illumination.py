"""Light over large areas follows the appearance map, its colour partly; detail stays. Reference: OpenCV."""

import cv2
import numpy as np
import pytest
import torch

from sflow_pipeline.networks.appearance.illumination import hold_illumination


def draw(seed: int, height: int, width: int) -> torch.Tensor:
    """A tinted picture with light that changes over its whole width, and noise; RGB in [-1, 1]."""
    rng = np.random.default_rng(seed)
    light = rng.uniform(-0.5, 0.5) * np.linspace(-1, 1, width) + rng.uniform(-0.3, 0.3)
    noise = rng.uniform(-0.1, 0.1, (height, width, 3))
    return torch.from_numpy(light[None, :, None] + rng.uniform(-0.1, 0.1, 3) + noise).float().permute(2, 0, 1)[None]


def blur(picture: torch.Tensor, sigma: float) -> np.ndarray:
    pixels = picture[0].permute(1, 2, 0).numpy().astype(np.float64)
    return cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def measure_luma(pixels: np.ndarray) -> np.ndarray:
    return pixels @ [0.299, 0.587, 0.114]


@pytest.mark.parametrize(("height", "width"), [(240, 320), (101, 258)])
def test_light_is_the_maps_and_detail_the_images(height: int, width: int) -> None:
    image, appearance = draw(1, height, width), draw(2, height, width)
    held = hold_illumination(image, appearance, torch.ones(1, 1, 1, 1))
    sigma, inner = width / 20, slice(width // 6, -width // 6)
    expected = blur(appearance, sigma) - blur(image, sigma)
    left = blur(appearance, sigma) - blur(held, sigma)
    assert np.abs(measure_luma(left))[:, inner].mean() < 0.1 * np.abs(measure_luma(expected))[:, inner].mean()
    # Against a Gaussian of OpenCV's, to a few grey levels: all of the luma, and more than half of the tint.
    change = (held - image)[0].permute(1, 2, 0).numpy()
    luma = measure_luma(expected)[..., None]
    assert np.abs(change - luma - 0.6 * (expected - luma))[:, inner].max() < 0.03


def test_a_share_of_0_changes_nothing_and_images_of_a_batch_have_their_own() -> None:
    image, appearance = (torch.cat([draw(seed, 90, 120), draw(seed + 1, 90, 120)]) for seed in (3, 5))
    held = hold_illumination(image, appearance, torch.tensor([0.0, 1.0]).view(2, 1, 1, 1))
    assert torch.equal(held[0], image[0])
    alone = hold_illumination(image[1:], appearance[1:], torch.ones(1, 1, 1, 1))
    assert torch.allclose(held[1:], alone, atol=1e-6)


def test_a_picture_smaller_than_the_cells_is_held_too() -> None:
    held = hold_illumination(torch.zeros(1, 3, 5, 7), torch.full((1, 3, 5, 7), 0.4), torch.ones(1, 1, 1, 1))
    assert torch.allclose(held, torch.full((1, 3, 5, 7), 0.4), atol=1e-6)
