"""CARLA recorded with one folder per sensor, named after its blueprint: raw tags, instances, depth."""

from pathlib import Path

import cv2
import numpy as np

#: Distance of every pixel in metres.
DEPTH_M = 12.5


def write(root: Path, *, label: bool = True) -> None:
    """Two frames of Town01 as CARLA 0.9.14 and later tag them: sky, building, road."""
    tags = np.repeat(np.uint8([11, 3, 1]), [12, 8, 12])[:, None].repeat(32, 1)
    zero = np.zeros_like(tags)
    code = round(DEPTH_M / 1000 * (256**3 - 1))
    for frame in (100, 101):
        for sensor, pixels in (
            ("rgb", np.random.default_rng(frame).integers(0, 256, (32, 32, 3), np.uint8)),
            ("semantic_segmentation", np.dstack([zero, zero, tags])),  # BGR
            ("instance_segmentation", np.dstack([zero + 7, zero + 9, tags])),
            ("depth", np.full((32, 32, 3), (code >> 16, code >> 8 & 255, code & 255), np.uint8)),
        ):
            if sensor == "semantic_segmentation" and not label:
                continue
            path = root / "Town01" / f"sensor.camera.{sensor}" / f"{frame:06}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), pixels)
