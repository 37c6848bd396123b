"""SYNTHIA-RAND-CITYSCAPES: RGB, GT/LABELS (16-bit colour, class in red, instance in green), GT/COLOR, Depth/Depth."""

from pathlib import Path

import cv2
import numpy as np

#: Class ids of the label's columns; each has its id + 700 as instance.
IDS = (1, 2, 3, 22)


def write(root: Path) -> None:
    """Two random frames."""
    for frame in (0, 1):
        name = f"{frame:07}.png"
        rgb = np.random.default_rng(frame).integers(0, 256, (32, 32, 3), np.uint8)
        save(root / "RGB" / name, rgb)
        save(root / "GT" / "LABELS" / name, labels())
        save(root / "GT" / "COLOR" / name, np.zeros((32, 32, 3), np.uint8))
        save(root / "Depth" / "Depth" / name, np.full((32, 32), 1250, np.uint16))
    (root / "README.txt").write_text("SYNTHIA-RAND-CITYSCAPES")


def write_video(root: Path) -> None:
    """A video set: two views of two frames, class ids of the video sets."""
    for view in ("Stereo_Left/Omni_F", "Stereo_Right/Omni_F"):
        for frame in (0, 1):
            name = f"{view}/{frame:06}.png"
            top = root / "SYNTHIA-SEQS-01-SPRING"
            save(top / "RGB" / name, np.full((32, 32, 3), 9, np.uint8))
            save(top / "GT" / "LABELS" / name, labels((1, 2, 12, 15)))
            save(top / "GT" / "COLOR" / name, np.zeros((32, 32, 3), np.uint8))
            save(top / "Depth" / name, np.full((32, 32), 1250, np.uint16))
            (top / "CameraParams" / view).mkdir(parents=True, exist_ok=True)
            (top / "CameraParams" / view / f"{frame:06}.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1")


def labels(ids: tuple[int, ...] = IDS) -> np.ndarray:
    red = np.array([ids], np.uint16).repeat(32, 0).repeat(8, 1)
    return np.dstack([np.zeros_like(red), red + 700, red])  # BGR


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
