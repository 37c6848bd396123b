"""Filters of planes against plain sums, SciPy and Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from sflow_pipeline.networks.appearance.plane_filters import blur, box_mean, enlarge


@pytest.mark.parametrize("side", [1, 5, 31])
@pytest.mark.parametrize("count_outside", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_means_are_those_of_the_pixels_in_the_box(side: int, count_outside: bool, dtype: torch.dtype) -> None:
    values = np.random.default_rng(0).normal(size=(2, 3, 17, 23))
    reach = side // 2
    wanted = np.empty_like(values)
    for y in range(17):
        for x in range(23):
            box = values[..., max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
            wanted[..., y, x] = box.sum(axis=(2, 3)) / (side**2 if count_outside else box[0, 0].size)
    found = box_mean(torch.from_numpy(values).to(dtype), side, count_outside=count_outside)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blur_is_a_gaussian_with_repeated_borders(dtype: torch.dtype) -> None:
    values = np.random.default_rng(1).normal(size=(2, 3, 21, 34))
    wanted = gaussian_filter(values, 2.0, mode="nearest", truncate=3, axes=(2, 3))
    np.testing.assert_allclose(blur(torch.from_numpy(values).to(dtype), 2.0).numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(64, 96), (63, 95)])
def test_enlarged_planes_are_pillows(dtype: torch.dtype, size: tuple[int, int]) -> None:
    values = np.random.default_rng(2).normal(size=(2, 3, 16, 24)).astype(np.float32)
    height, width = size
    wanted = [
        np.asarray(Image.fromarray(p).resize((width, height), Image.Resampling.BILINEAR))
        for p in values.reshape(-1, 16, 24)
    ]
    found = enlarge(torch.from_numpy(values).to(dtype), size)
    np.testing.assert_allclose(found.flatten(0, 1).numpy(), np.stack(wanted), atol=1e-5)


def test_means_of_what_needs_a_gradient_have_one() -> None:
    values = torch.rand(1, 1, 6, 6, requires_grad=True)
    box_mean(values, 3, count_outside=True).sum().backward()
    assert values.grad is not None
    assert values.grad[0, 0, 2, 2].item() == pytest.approx(1)
