"""AirSim's recorder: a tab-separated record and a folder of pictures of several types."""

from pathlib import Path

import cv2
import numpy as np

#: RGB of the label's columns, as AirSim draws segmentation ids 1 to 4.
COLORS = ((153, 108, 6), (112, 105, 191), (89, 121, 72), (190, 225, 64))
LABEL_SPACE = """
name: my-airsim
version: 1
void: null
classes:
  - {id: 1, name: road, concepts: [flat.road], color: [153, 108, 6]}
  - {id: 2, name: car, concepts: [vehicle.car], color: [112, 105, 191]}
  - {id: 3, name: tree, concepts: [nature.vegetation], color: [89, 121, 72]}
  - {id: 4, name: sky, concepts: [sky], color: [190, 225, 64]}
"""


def write(root: Path) -> None:
    """Two moments of one car with two cameras; the label space file lies beside the dump."""
    (root / "images").mkdir(parents=True)
    label = np.array([COLORS], np.uint8).repeat(32, 0).repeat(8, 1)[..., ::-1]
    lines = ["VehicleName\tTimeStamp\tPOS_X\tPOS_Y\tPOS_Z\tQ_W\tQ_X\tQ_Y\tQ_Z\tImageFile"]
    for moment in (0, 1):
        names = []
        for camera in ("0", "front_center"):
            for kind, pixels in (
                ("0", (np.arange(32 * 32 * 3).reshape(32, 32, 3) // 16 + moment).astype(np.uint8)),
                ("5", label),
            ):
                stamp = 1546299000 + 7 * moment + int(kind)  # types of one moment differ by a little
                names.append(f"img_PhysXCar_{camera}_{kind}_{stamp}.png".replace("front_center", "frontcenter"))
                assert cv2.imwrite(str(root / "images" / names[-1]), pixels)
            names.append(
                f"img_PhysXCar_{camera}_1_{1546299000 + 7 * moment}.pfm".replace("front_center", "frontcenter")
            )
            (root / "images" / names[-1]).write_bytes(b"Pf\n1 1\n-1\n" + np.float32(2.5).tobytes())
        lines.append(f"PhysXCar\t{1546299000 + 7 * moment}\t0\t0\t0\t1\t0\t0\t0\t" + ";".join(names))
    (root / "airsim_rec.txt").write_text("\n".join(lines) + "\n")
    (root.parent / "airsim-labels.yaml").write_text(LABEL_SPACE)
