"""Pictures that can be learnt in seconds: every class has a colour, and the simulator's colours are not the photos'."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

#: RGB of the classes sky, building, road and tree in photos; rendered frames have them in another order.
COLORS = {0: (90, 150, 230), 1: (150, 80, 60), 3: (90, 90, 95), 5: (50, 120, 40)}
CONFUSED = {0: COLORS[3], 1: COLORS[5], 3: COLORS[0], 5: COLORS[1]}


@pytest.fixture
def write_pictures() -> Callable[..., Path]:
    """Writes pictures of blocks in class colours, in the plain layout of CamVid's classes."""

    def write(
        root: Path, count: int = 6, *, colors: dict[int, tuple[int, int, int]] = COLORS, seed: int = 0, void: float = 0
    ) -> Path:
        rng = np.random.default_rng(seed)
        for frame in range(count):
            label = rng.choice(list(colors), (3, 4)).astype(np.uint8)
            picture = np.array([colors[int(i)] for i in label.ravel()], np.uint8).reshape(3, 4, 3)
            label[rng.random(label.shape) < void] = 11
            noise = rng.integers(-8, 9, (48, 64, 3))
            pixels = (picture.repeat(16, 0).repeat(16, 1) + noise).clip(0, 255).astype(np.uint8)
            for kind, image in (("rgb", pixels[..., ::-1]), ("semantic", label.repeat(16, 0).repeat(16, 1))):
                path = root / "s" / kind / f"{frame:03}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), image)
        (root / "dataset.yaml").write_text("label_space: camvid11\n")
        return root

    return write


@pytest.fixture
def write_job(tmp_path: Path, write_pictures: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a job that takes a second: rendered frames in wrong colours, photos, and test photos."""
    write_pictures(tmp_path / "sim", colors=CONFUSED, seed=1)
    write_pictures(tmp_path / "photos", seed=2)
    write_pictures(tmp_path / "held_out", count=3, seed=3)

    def write(**changes: object) -> Path:
        content = {
            "sources": {"rendered": str(tmp_path / "sim"), "real": str(tmp_path / "photos")},
            "tests": {"held-out": str(tmp_path / "held_out")},
            "arms": ["rendered", "real"],
            "width": 8,
            "steps": 60,
            "batch_size": 2,
            "crop_px": "48x32",
            "frame_width_px": [56, 72],
            "lr": 5e-3,
            "seeds": [0, 1],
            "device": "cpu",
            "precision": "fp32",
        }
        path = tmp_path / "job.yaml"
        path.write_text(yaml.safe_dump(content | changes, sort_keys=False))
        return path

    return write
