"""Damage to photos in training: seeded, independent of the batch, in range, and strong enough to need repair."""

import numpy as np
import torch

from sflow_pipeline.training.process_group import ProcessGroup
from sflow_pipeline.training.step.photo_damage import damage_photo, draw_strength
from sflow_pipeline.training.step.step_rng import StepRng


def _scene(images: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    photo = torch.rand(images, 3, 48, 64, generator=rng) * 1.6 - 0.8
    return photo, torch.randint(0, 4, (images, 48, 64), generator=rng).to(torch.uint8)


def test_damage_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    photo, labels = _scene(2)
    first, again, other = (damage_photo(photo, labels, 4, StepRng(seed, 0, 2)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert (first - other).abs().mean() > 0.02


def test_a_process_that_holds_half_a_batch_damages_its_images_as_one_that_holds_all() -> None:
    photo, labels = _scene(4)
    whole = damage_photo(photo, labels, 4, StepRng(5, 0, 4))
    for rank in range(2):
        group = ProcessGroup(rank, 2)
        mine = group.share(0, 4)
        half = damage_photo(photo[mine], labels[mine], 4, StepRng(5, 0, 4, group))
        assert torch.allclose(half, whole[mine], atol=1e-6)


def test_damaged_photos_stay_in_range_and_keep_what_they_show() -> None:
    photo, labels = _scene(8)
    photo = torch.nn.functional.avg_pool2d(photo, 9, stride=1, padding=4)  # large shapes, as in a street
    damaged = damage_photo(photo, labels, 4, StepRng(0, 0, 8))
    assert damaged.abs().max() <= 1
    assert torch.isfinite(damaged).all()
    pairs = zip(photo.flatten(1).numpy(), damaged.flatten(1).numpy(), strict=True)
    assert all(not np.array_equal(before, after) for before, after in pairs)


def test_strengths_are_a_quarter_zero_and_half_one() -> None:
    strength = draw_strength(StepRng(0, 0, 4000), 0.25)
    assert abs((strength == 0).float().mean() - 0.25) < 0.03
    assert abs((strength == 1).float().mean() - 0.5) < 0.03
    assert ((strength >= 0) & (strength <= 1)).all()
