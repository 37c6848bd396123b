"""The first three steps of a tiny recipe give the losses they have always given: a change here changes every recipe."""

from collections.abc import Callable

import pytest
import torch

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.networks.features.perceptual import SqueezeNetFeatures

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


#: Every term and augmentation of the shipped recipe, in the joint stage.
SHIPPED = {
    "discriminator": {"scales": 2, "semantic_width": 8},
    "generator": {"use_palette": True},
    "loss": {"adversarial": 1.5, "view_jitter": 0.25, "l1": 5.0, "repetition": 1.0, "augment": True},
    "schedule": {"crop_px": (64, 64), "scale": (0.6, 1.4)},
}
GOLDEN_SHIPPED: list[dict[str, float]] = [
    {
        "discriminator": 2.017329,
        "gan": -0.103552,
        "feature_matching": 0.149128,
        "perceptual": 0.020657,
        "semantic_discriminator": 4.998103,
        "semantic": 2.563978,
        "l1": 0.38237,
        "repetition": 0.408738,
        "dned": 1.593464,
    },
    {
        "discriminator": 2.007369,
        "gan": -0.096293,
        "feature_matching": 0.150283,
        "perceptual": 0.022625,
        "semantic_discriminator": 4.961779,
        "semantic": 2.5617,
        "l1": 0.375669,
        "repetition": 0.269891,
        "dned": 1.569915,
    },
    {
        "discriminator": 1.972769,
        "gan": -0.070662,
        "feature_matching": 0.168631,
        "perceptual": 0.019739,
        "semantic_discriminator": 4.915034,
        "semantic": 2.540698,
        "l1": 0.368537,
        "repetition": 0.152523,
        "dned": 1.59098,
    },
]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("images_seen", [0, 8], ids=["laplacian", "joint"])
def test_losses_of_three_steps(make_run: Callable, tiny_recipe: Recipe, images_seen: int) -> None:
    run = make_run(tiny_recipe)
    run.state.images_seen = images_seen
    for terms, golden in zip(run.take_steps(3), GOLDEN[images_seen], strict=True):
        assert terms == pytest.approx(golden, rel=1e-3)


@pytest.mark.usefixtures("one_thread")
def test_losses_of_the_shipped_recipes_terms(make_run: Callable, change_recipe: Callable) -> None:
    torch.manual_seed(5)
    run = make_run(change_recipe(**SHIPPED), SqueezeNetFeatures().eval().requires_grad_(False))
    run.state.images_seen = 8
    for terms, golden in zip(run.take_steps(3), GOLDEN_SHIPPED, strict=True):
        assert terms == pytest.approx(golden, rel=1e-3)
