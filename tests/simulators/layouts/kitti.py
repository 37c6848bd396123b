"""KITTI semantic segmentation: single photos with Cityscapes ids."""

from pathlib import Path

import cv2
import numpy as np


def write(root: Path) -> None:
    """Two photos; one without a label in testing."""
    ids = np.array([[23, 11, 7, 26]], np.uint8).repeat(32, 0).repeat(8, 1)
    for frame in (0, 1):
        for folder, pixels in (
            ("image_2", np.random.default_rng(frame).integers(0, 256, (32, 32, 3), np.uint8)),
            ("semantic", ids),
            ("instance", ids.astype(np.uint16) * 256),
        ):
            path = root / "training" / folder / f"{frame:06}_10.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), pixels)
