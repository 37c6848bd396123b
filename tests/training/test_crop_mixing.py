"""Mixed crops: what is pasted brings its label, what is blanked is void."""

import pytest
import torch

from sflow_pipeline.training.data.crop_mixing import mix_crops

VOID = 4
WEIGHTS = torch.tensor([0.5, 0.5, 3.0, 3.0, 1.0])


def draw_crops(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops whose every pixel shows its class as a grey level."""
    rng = torch.Generator().manual_seed(seed)
    truth = torch.randint(0, 5, (4, 6, 8), generator=rng).repeat_interleave(8, 1).repeat_interleave(8, 2)
    return (truth / 4 * 2 - 1)[:, None].expand(-1, 3, -1, -1).contiguous(), truth


@pytest.mark.parametrize("seed", range(5))
def test_pixels_keep_their_labels(seed: int) -> None:
    photo, truth = draw_crops(seed)
    mixed, classes, labelled = mix_crops(photo, truth, WEIGHTS, VOID, 1.0, torch.Generator().manual_seed(seed))
    shown = classes / 4 * 2 - 1
    seen = labelled & (classes != VOID)
    assert (mixed[:, 0] == shown)[seen].all()
    assert (classes != truth).any(dim=(1, 2)).all()
    blank = labelled & (classes == VOID)
    assert blank.any(dim=(1, 2)).all()
    assert not labelled[(classes == VOID) & (mixed[:, 0] == 1.0) & (truth == VOID)].all()


def test_without_mixing_nothing_changes() -> None:
    photo, truth = draw_crops(0)
    mixed, classes, labelled = mix_crops(photo, truth, WEIGHTS, VOID, 0.0, torch.Generator())
    assert torch.equal(mixed, photo) and torch.equal(classes, truth)
    assert torch.equal(labelled, truth != VOID)
