"""A layout of no simulator, stated by patterns in ``dataset.yaml``: ids in three channels, two cameras."""

from pathlib import Path

import cv2
import numpy as np

#: Class ids of the label's columns; one is above 255.
IDS = (0, 7, 300, 301)


def write(root: Path) -> None:
    """Two drives of two cameras, at 20 frames per second, every second frame kept."""
    for drive in ("north", "south"):
        for camera in ("left", "right"):
            for frame in (10, 12, 16):
                render = np.random.default_rng(frame).integers(0, 256, (32, 32, 3), np.uint8)
                write_png(root / "shots" / drive / f"{camera}-{frame}.png", render)
                ids = np.array([IDS], np.uint16).repeat(32, 0).repeat(8, 1)
                write_png(
                    root / "truth" / drive / f"{camera}-{frame}_ids.png", np.dstack([ids * 0, ids >> 8, ids & 255])
                )
    (root / "dataset.yaml").write_text(
        """
layout:
  render: shots/{sequence}/{camera}-{frame}.*
  label: truth/{sequence}/{camera}-{frame}_ids.png
label_space: classes.yaml
label_encoding: rgb_ids
fps: 10
split: {south/left: val, south/right: val}
"""
    )
    (root / "classes.yaml").write_text(
        """
name: mine
version: 1
void: 0
classes:
  - {id: 0, name: nothing, concepts: [void], color: [0, 0, 0]}
  - {id: 7, name: road, concepts: [flat.road], color: [128, 64, 128]}
  - {id: 300, name: car, concepts: [vehicle.car], color: [0, 0, 142]}
  - {id: 301, name: sky, concepts: [sky], color: [70, 130, 180]}
"""
    )


def write_png(path: Path, bgr: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), bgr.astype(np.uint8))
