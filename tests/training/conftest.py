"""A tiny set of labelled photos in CamVid's layout, and a recipe that trains on it in seconds."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.config.recipe import Recipe


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """Eight photos of one recording, 64x48, sky above road; labels in the 11 classes."""
    root = tmp_path / "CamVid"
    rng = np.random.default_rng(0)
    for i in range(8):
        label = np.where(np.arange(48)[:, None] < 20 + i, 0, 3) * np.ones((48, 64), int)
        photo = np.where(label[..., None] == 0, (200, 190, 180), (90, 90, 95)) + rng.integers(-20, 20, (48, 64, 3))
        for folder, picture in (("train", photo), ("trainannot", label)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / folder / f"0001TP_{i:06d}.png"), picture.astype(np.uint8))
    return root


@pytest.fixture
def tiny_recipe() -> Recipe:
    return Recipe.model_validate(
        {
            "name": "tiny",
            "precision": "fp32",
            "dned": {"widths": (4, 4, 4, 4, 4)},
            "generator": {"width": 9, "blocks": 1},
            "discriminator": {"width": 8, "layers": 2},
            "schedule": {
                "crop_px": (32, 32),
                "scale": (0.7, 1.0),
                "laplacian_images": 8,
                "joint_images": 12,
                "decay_images": 8,
                "checkpoint_every_images": 4,
                "sample_every_images": 20,
            },
        }
    )
