"""Differentiable augmentation of the discriminator's inputs (Zhao et al. 2020), against memorised photos."""

import torch
from torch import Tensor

from sflow_pipeline.tensors import Photo
from sflow_pipeline.training.step.mirror_shift import mirror_shift
from sflow_pipeline.training.step.step_rng import StepRng


class Augmentation:
    """Random brightness, saturation and contrast per photo, and one translation and cut-out for the whole batch.

    Drawn once a step and applied alike to photos, fakes and conditions, so that they stay comparable.

    >>> augmentation = Augmentation(torch.zeros(2, 3, 32, 48), StepRng(0, first_image=0, batch_size=2))
    >>> augmentation.of_photo(torch.zeros(2, 3, 32, 48)).shape
    torch.Size([2, 3, 32, 48])
    """

    def __init__(self, photo: Photo, rng: StepRng) -> None:
        _, _, height, width = photo.shape

        def draw(low: float, high: float) -> Tensor:
            return (low + (high - low) * rng.rand(1, 1, 1)).to(photo.device)

        def draw_pixels(low: int, high: int) -> int:
            return rng.integers(low, high)[0]

        self._brightness, self._saturation, self._contrast = draw(-0.3, 0.3), draw(0.5, 1.5), draw(0.6, 1.4)
        self._shift = draw_pixels(-(height // 8), height // 8), draw_pixels(-(width // 8), width // 8)
        hole_y, hole_x = draw_pixels(0, height - height // 4), draw_pixels(0, width - width // 4)
        self._keep = torch.ones(1, 1, height, width, device=photo.device)
        self._keep[..., hole_y : hole_y + height // 4, hole_x : hole_x + width // 4] = 0

    def of_photo(self, photo: Photo) -> Photo:
        """Colour changes, translation and cut-out."""
        photo = photo + self._brightness
        grey = photo.mean(dim=1, keepdim=True)
        photo = torch.lerp(grey, photo, self._saturation)
        photo = torch.lerp(photo.mean(dim=(1, 2, 3), keepdim=True), photo, self._contrast)
        return self.of_conditions(photo)

    def of_conditions(self, conditions: Tensor) -> Tensor:
        """Translation and cut-out alone, for (b, classes + 1, h, w) semantic and edge maps."""
        return mirror_shift(conditions, *self._shift) * self._keep.to(conditions.dtype)
