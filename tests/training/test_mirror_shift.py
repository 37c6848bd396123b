"""What judges are shown is moved by some pixels and mirrored at the border."""

import cv2
import numpy as np
import pytest
import torch

from sflow_pipeline.training.step.augmentation import Augmentation
from sflow_pipeline.training.step.mirror_shift import mirror_shift
from sflow_pipeline.training.step.step_rng import StepRng


@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, 5), (-2, 4), (7, -6), (-1, -9)])
def test_shift_is_opencvs_with_a_mirrored_border(down: int, right: int) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    border = cv2.copyMakeBorder(picture, 10, 10, 10, 10, cv2.BORDER_REFLECT_101)
    expected = border[10 - down : 30 - down, 10 - right : 40 - right]
    moved = mirror_shift(torch.from_numpy(picture).permute(2, 0, 1), down, right)
    np.testing.assert_array_equal(moved.permute(1, 2, 0).numpy(), expected)


def test_a_label_moves_with_its_photo() -> None:
    """A discriminator that was shown another label than the photo's would learn that labels mean nothing."""
    ramp = torch.arange(48.0).view(1, 1, 1, 48).expand(1, 3, 32, 48) / 24 - 1
    for seed in range(8):
        draw = Augmentation(ramp, StepRng(seed, first_image=0, batch_size=1))
        photo, condition = draw.of_photo(ramp)[0, 0], draw.of_conditions(ramp[:, :1])[0, 0]
        kept = condition != 0
        # Brightness and contrast are one straight line for the whole photo.
        slope, offset = np.polyfit(condition[kept].numpy(), photo[kept].numpy(), 1)
        torch.testing.assert_close(photo[kept], slope * condition[kept] + offset, atol=1e-4, rtol=0, check_dtype=False)
        assert slope > 0.2
