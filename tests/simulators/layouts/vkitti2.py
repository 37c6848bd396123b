"""Virtual KITTI 2: an archive of its own for each kind of file, all unpacked side by side."""

from pathlib import Path

import cv2
import numpy as np

#: RGB of the label's columns: sky, building, road, car.
COLORS = ((90, 200, 255), (140, 140, 140), (100, 60, 100), (255, 127, 80))


def write(root: Path) -> None:
    """Scene01 in two variations, two cameras, two frames; flow of the first frame only, as published."""
    label = np.array([COLORS], np.uint8).repeat(32, 0).repeat(8, 1)[..., ::-1]
    for variation in ("clone", "15-deg-left"):
        for camera in (0, 1):
            for frame in (0, 1):
                kinds = {
                    "rgb": ("rgb/rgb", "jpg", np.random.default_rng(frame).integers(0, 256, (32, 32, 3), np.uint8)),
                    "classSegmentation": ("classSegmentation/classgt", "png", label),
                    "instanceSegmentation": ("instanceSegmentation/instancegt", "png", np.ones((32, 32), np.uint8)),
                    "depth": ("depth/depth", "png", np.full((32, 32), 655, np.uint16)),
                }
                if frame == 0:
                    kinds["forwardFlow"] = ("forwardFlow/flow", "png", np.full((32, 32, 3), 32768, np.uint16))
                for kind, (stem, suffix, pixels) in kinds.items():
                    folder, name = stem.split("/")
                    where = (
                        root / f"vkitti_2.0.3_{kind}" / "Scene01" / variation / "frames" / folder / f"Camera_{camera}"
                    )
                    where.mkdir(parents=True, exist_ok=True)
                    assert cv2.imwrite(str(where / f"{name}_{frame:05}.{suffix}"), pixels)
        text = root / "vkitti_2.0.3_textgt" / "Scene01" / variation
        text.mkdir(parents=True)
        (text / "pose.txt").write_text("frame cameraID trackID")
        (text / "colors.txt").write_text("Category r g b\nSky 90 200 255\n")
