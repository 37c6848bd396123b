"""VIPER: splits, kinds, numbered drives; files named <drive>_<frame>."""

from pathlib import Path

import cv2
import numpy as np


def write(root: Path) -> None:
    """Two frames of drive 001 in train, one of drive 044 in val."""
    ids = np.array([[2, 9, 3, 25]], np.uint8).repeat(32, 0).repeat(8, 1)
    for split, drive, frames in (("train", "001", (1, 11)), ("val", "044", (1,))):
        for frame in frames:
            name = f"{drive}/{drive}_{frame:05}"
            for kind, pixels in (
                ("img", np.random.default_rng(frame).integers(0, 256, (32, 32, 3), np.uint8)),
                ("cls", ids),
                ("inst", np.dstack([np.zeros_like(ids), np.ones_like(ids), ids])),
            ):
                path = root / split / kind / f"{name}.{'jpg' if kind == 'img' else 'png'}"
                path.parent.mkdir(parents=True, exist_ok=True)
                assert cv2.imwrite(str(path), pixels)
            path = root / split / "flow" / f"{name}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, u=np.zeros((32, 32), np.float32), v=np.zeros((32, 32), np.float32))
