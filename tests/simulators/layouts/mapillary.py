"""Mapillary Vistas: photos, and labels and instances of two versions of the classes."""

from pathlib import Path

import cv2
import numpy as np


def write(root: Path) -> None:
    """One photo in training, one in validation."""
    ids = np.array([[27, 17, 13, 55]], np.uint8).repeat(32, 0).repeat(8, 1)
    for split, photo in (("training", "_3jZz1x"), ("validation", "0Wb9QpA")):
        for path, pixels in (
            (f"images/{photo}.jpg", (np.arange(32 * 32 * 3).reshape(32, 32, 3) // 16).astype(np.uint8)),
            (f"v1.2/labels/{photo}.png", ids),
            (f"v1.2/instances/{photo}.png", ids.astype(np.uint16) * 256),
            (f"v2.0/labels/{photo}.png", ids + 1),
            (f"v2.0/instances/{photo}.png", ids.astype(np.uint16) * 256),
        ):
            (root / split / path).parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(root / split / path), pixels)
