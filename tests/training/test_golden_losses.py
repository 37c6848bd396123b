"""The first three steps of a tiny recipe give the losses they have always given: a change here changes every recipe."""

from pathlib import Path

import pytest
import torch

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.training.data.crops import CropSampler
from sflow_pipeline.training.data.real_photos import load_real_photos
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.train_step import train_step

#: Stage → the terms of three consecutive steps, fp32, one thread.
GOLDEN: dict[int, list[dict[str, float]]] = {
    0: [
        {"discriminator": 1.975426, "gan": 0.040464, "feature_matching": 0.327407, "dned": 1.670066},
        {"discriminator": 1.930336, "gan": 0.061628, "feature_matching": 0.372473, "dned": 1.686438},
        {"discriminator": 1.915767, "gan": 0.070208, "feature_matching": 0.320852, "dned": 1.64422},
    ],
    8: [
        {"discriminator": 1.940773, "gan": 0.088387, "feature_matching": 0.372695, "dned": 1.679375},
        {"discriminator": 1.911212, "gan": 0.111277, "feature_matching": 0.379467, "dned": 1.68752},
        {"discriminator": 1.884228, "gan": 0.146915, "feature_matching": 0.413067, "dned": 1.627476},
    ],
}


@pytest.mark.parametrize("images_seen", [0, 8], ids=["laplacian", "joint"])
def test_losses_of_three_steps(camvid: Path, tiny_recipe: Recipe, tmp_path: Path, images_seen: int) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        photos, _ = load_real_photos(str(camvid), tiny_recipe, tmp_path / "cache")
        state = TrainingState(tiny_recipe, classes=12)
        state.images_seen = images_seen
        sampler = CropSampler(photos, tiny_recipe.schedule, tiny_recipe.seed)
        context = StepContext(tiny_recipe, 12, torch.device("cpu"), "fp32", None)
        steps = [train_step(state, sampler.cut_batch(state.images_seen, 2), context) for _ in range(3)]
    finally:
        torch.set_num_threads(threads)
    for found, golden in zip(steps, GOLDEN[images_seen], strict=True):
        assert found == pytest.approx(golden, rel=1e-3)
