"""Contrast that is held. Reference: SciPy's local deviations."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from sflow_pipeline.networks.appearance.contrast import hold_contrast

_SHAPE = (156, 208)  # windows of 6 px


def _hold(image: NDArray[np.float64], render: NDArray[np.float64], strength: float = 1.0) -> NDArray[np.float64]:
    """Grey pictures of 0 to 255 in and out."""
    tensors = [torch.from_numpy(x / 127.5 - 1).float().expand(1, 3, -1, -1).contiguous() for x in (image, render)]
    held = hold_contrast(*tensors, torch.full((1, 1, 1, 1), strength))
    return (held[0, 0].numpy().astype(np.float64) + 1) * 127.5


def _measure(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviation in windows of 5 px, away from the borders."""
    mean, square = (ndimage.uniform_filter(x, 5) for x in (picture, picture**2))
    return np.sqrt(np.maximum(square - mean**2, 0))[8:-8, 8:-8]


def _noise(deviation: float) -> NDArray[np.float64]:
    return 128 + np.random.default_rng(0).normal(0, deviation, _SHAPE)


def test_contrast_that_the_render_lacks_goes_and_light_stays() -> None:
    image, render = _noise(30), _noise(15)
    held = _hold(image, render)
    assert np.median(_measure(held) / _measure(render)) < 1.15
    np.testing.assert_allclose(ndimage.uniform_filter(held, 15), ndimage.uniform_filter(image, 15), atol=6)
    assert np.corrcoef(held.ravel(), image.ravel())[0, 1] > 0.95


def test_images_with_less_contrast_than_the_render_stay() -> None:
    image = _noise(15)
    np.testing.assert_allclose(_hold(image, _noise(30)), image, atol=1e-3)


def test_texture_on_flat_surfaces_stays() -> None:
    image = _noise(6)
    np.testing.assert_allclose(_hold(image, np.full(_SHAPE, 128.0)), image, atol=0.5)


def test_maps_without_detail_hold_nothing() -> None:
    image = _noise(30)
    np.testing.assert_allclose(_hold(image, np.full(_SHAPE, 128.0), strength=0.6), image, atol=1e-3)


def test_every_image_of_a_batch_has_its_own_strength() -> None:
    harsh, plain = (torch.rand(1, 1, 40, 60) * 2 - 1).expand(1, 3, -1, -1), torch.zeros(1, 3, 40, 60)
    strength = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    held = hold_contrast(*(x.expand(2, -1, -1, -1).contiguous() for x in (harsh, plain)), strength)
    assert torch.equal(held[:1], harsh)
    assert held[1].std() < 0.5 * harsh.std()
