"""CamVid from its makers' page: all photos in one folder, all labels in another."""

from pathlib import Path

import cv2
import numpy as np

#: RGB of the label's columns: Sky, Building, LaneMkgsDriv, SUVPickupTruck.
COLORS = ((128, 128, 128), (128, 0, 0), (128, 0, 192), (64, 128, 192))


def write(root: Path) -> None:
    """Three photos of two recordings."""
    label = np.array([COLORS], np.uint8).repeat(32, 0).repeat(8, 1)[..., ::-1]
    for name in ("0001TP_006690", "0001TP_006720", "Seq05VD_f00000"):
        for folder, file, pixels in (
            (
                "701_StillsRaw_full",
                f"{name}.png",
                np.random.default_rng(len(name)).integers(0, 256, (32, 32, 3), np.uint8),
            ),
            ("LabeledApproved_full", f"{name}_L.png", label),
        ):
            (root / folder).mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(root / folder / file), pixels)
    (root / "label_colors.txt").write_text("64 128 64\tAnimal\n")
