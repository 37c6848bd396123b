"""Chroma that is held: hue of objects as rendered, luma the generator's, nothing where the share is 0."""

import cv2
import numpy as np
import torch

from sflow_pipeline.networks.appearance.chroma import hold_chroma


def _to_lab(picture: torch.Tensor) -> np.ndarray:
    rgb = ((picture[0].permute(1, 2, 0).numpy() + 1) / 2).astype(np.float32)
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)


def test_a_green_car_that_came_out_grey_is_green_again_at_its_own_brightness() -> None:
    green = torch.tensor([-0.7, -0.2, -0.6]).view(1, 3, 1, 1).expand(1, 3, 40, 60).contiguous()
    grey = torch.full((1, 3, 40, 60), -0.6) + 0.1 * torch.rand(1, 3, 40, 60, generator=torch.Generator().manual_seed(0))
    held = hold_chroma(grey, green, torch.full((1, 1, 40, 60), 0.9))
    hue = [np.arctan2(*(_to_lab(x)[10:30, 10:50, k].mean() for k in (2, 1))) for x in (green, held)]
    assert abs(hue[0] - hue[1]) < np.radians(15)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    assert ((held * luma).sum(1) - (grey * luma).sum(1)).abs().max() < 1e-4


def test_nothing_moves_where_the_share_is_zero_and_the_render_is_pale() -> None:
    rng = torch.Generator().manual_seed(1)
    photo, appearance = (torch.rand(1, 3, 20, 30, generator=rng) * 0.2 for _ in range(2))
    share = torch.zeros(1, 1, 20, 30)
    share[..., 15:] = 1.0
    held = hold_chroma(photo, appearance, share)
    assert torch.equal(held[..., :15], photo[..., :15])
    assert (held[..., 15:] - photo[..., 15:]).abs().mean() > 0.005
    assert torch.equal(hold_chroma(photo, appearance, share, torch.zeros(1, 1, 1, 1)), photo)


def test_a_yellow_line_on_a_road_stays_yellow_and_the_road_takes_the_images_tone() -> None:
    render = torch.zeros(1, 3, 40, 60)
    render[..., 25:35] = torch.tensor([0.5, 0.3, -0.7]).view(1, 3, 1, 1)
    image = torch.tensor([0.1, 0.0, -0.1]).view(1, 3, 1, 1).expand(1, 3, 40, 60).contiguous()
    held = hold_chroma(image, render, torch.full((1, 1, 40, 60), 0.4))
    wanted, found = (_to_lab(x)[10:30, 28:32, 2].mean() for x in (render, held))
    assert found > 0.75 * wanted
    road, own = (_to_lab(x)[10:30, 5:15, 2].mean() for x in (held, image))
    assert 0.4 * own < road < 0.8 * own


def test_the_low_pass_is_opencvs_gaussian() -> None:
    rng = np.random.default_rng(0)
    appearance = rng.uniform(-0.3, 0.3, (40, 50, 3)).astype(np.float32)
    luma = (appearance * np.array([0.299, 0.587, 0.114], np.float32)).sum(-1, keepdims=True)
    expected = cv2.GaussianBlur(appearance - luma, (13, 13), 2.0, borderType=cv2.BORDER_REPLICATE)
    tensor = torch.from_numpy(appearance).permute(2, 0, 1)[None]
    held = hold_chroma(torch.zeros_like(tensor), tensor, torch.ones(1, 1, 40, 50))
    assert np.abs(held[0].permute(1, 2, 0).numpy() - expected).max() < 1e-4
