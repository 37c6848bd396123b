"""Light over large areas follows the appearance map; detail and chroma stay. Reference: OpenCV."""

import cv2
import numpy as np
import pytest
import torch

from sflow_pipeline.networks.appearance.illumination import hold_illumination


def draw(seed: int, height: int, width: int) -> torch.Tensor:
    """A picture with light that changes over its whole width, and noise; RGB in [-1, 1]."""
    rng = np.random.default_rng(seed)
    light = rng.uniform(-0.5, 0.5) * np.linspace(-1, 1, width) + rng.uniform(-0.3, 0.3)
    noise = rng.uniform(-0.1, 0.1, (height, width, 3))
    return torch.from_numpy(light[None, :, None] + noise).float().permute(2, 0, 1)[None]


def blur(picture: torch.Tensor, sigma: float) -> np.ndarray:
    luma = picture[0].permute(1, 2, 0).numpy().astype(np.float64) @ [0.299, 0.587, 0.114]
    return cv2.GaussianBlur(luma, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize(("height", "width"), [(240, 320), (101, 258)])
def test_light_is_the_maps_and_detail_the_images(height: int, width: int) -> None:
    image, appearance = draw(1, height, width), draw(2, height, width)
    held = hold_illumination(image, appearance, torch.ones(1, 1, 1, 1))
    sigma, inner = width / 20, slice(width // 6, -width // 6)
    before = np.abs(blur(image, sigma) - blur(appearance, sigma))[:, inner].mean()
    after = np.abs(blur(held, sigma) - blur(appearance, sigma))[:, inner].mean()
    assert after < 0.1 * before
    # Against a Gaussian of OpenCV's, to a few grey levels; what changes is equal in the three channels.
    expected = blur(appearance, sigma) - blur(image, sigma)
    change = (held - image)[0].numpy()
    assert np.abs(change - expected)[..., inner].max() < 0.03
    assert np.abs(change - change.mean(axis=0)).max() < 1e-6


def test_a_share_of_0_changes_nothing_and_images_of_a_batch_have_their_own() -> None:
    image, appearance = (torch.cat([draw(seed, 90, 120), draw(seed + 1, 90, 120)]) for seed in (3, 5))
    held = hold_illumination(image, appearance, torch.tensor([0.0, 1.0]).view(2, 1, 1, 1))
    assert torch.equal(held[0], image[0])
    alone = hold_illumination(image[1:], appearance[1:], torch.ones(1, 1, 1, 1))
    assert torch.allclose(held[1:], alone, atol=1e-6)


def test_a_picture_smaller_than_the_cells_is_held_too() -> None:
    held = hold_illumination(torch.zeros(1, 3, 5, 7), torch.full((1, 3, 5, 7), 0.4), torch.ones(1, 1, 1, 1))
    assert torch.allclose(held, torch.full((1, 3, 5, 7), 0.4), atol=1e-6)
