"""BasicWriter of Omniverse Replicator: files side by side, the colours' meaning in JSON per frame."""

import json
from pathlib import Path

import cv2
import numpy as np

#: The same colour means another class in the next frame.
TABLES: tuple[dict[str, str], ...] = (
    {
        "(0, 0, 0, 0)": "BACKGROUND",
        "(0, 0, 0, 255)": "UNLABELLED",
        "(25, 255, 39, 255)": "cone,obstacle",
        "(255, 197, 25, 255)": "road",
    },
    {
        "(0, 0, 0, 0)": "BACKGROUND",
        "(0, 0, 0, 255)": "UNLABELLED",
        "(25, 255, 39, 255)": "person",
        "(255, 197, 25, 255)": "Gizmo",
    },
)


def write(root: Path) -> None:
    """Two frames; columns of the label: background, unlabelled, green, orange."""
    root.mkdir(parents=True)
    (root / "metadata.txt").write_text('{"name": "BasicWriter", "version": "0.0.2"}')
    rgba = [[0, 0, 0, 0], [0, 0, 0, 255], [25, 255, 39, 255], [255, 197, 25, 255]]
    label = np.array([rgba], np.uint8).repeat(32, 0).repeat(8, 1)
    boxes = np.array(
        [(0, 1, 2, 3, 4, 0.5)],
        [
            (name, "<u4" if name == "semanticId" else "<i4")
            for name in ("semanticId", "x_min", "y_min", "x_max", "y_max")
        ]
        + [("occlusionRatio", "<f4")],
    )
    for frame, table in enumerate(TABLES):
        rgb = np.random.default_rng(frame).integers(0, 256, (32, 32, 3), np.uint8)
        assert cv2.imwrite(str(root / f"rgb_{frame:04}.png"), np.dstack([rgb, np.full((32, 32), 255, np.uint8)]))
        bgra = np.ascontiguousarray(label[..., [2, 1, 0, 3]])
        assert cv2.imwrite(str(root / f"semantic_segmentation_{frame:04}.png"), bgra)
        labels = {color: {"class": name} for color, name in table.items()}
        (root / f"semantic_segmentation_labels_{frame:04}.json").write_text(json.dumps(labels))
        np.save(root / f"distance_to_image_plane_{frame:04}.npy", np.full((32, 32), np.inf, np.float32))
        np.save(root / f"bounding_box_2d_tight_{frame:04}.npy", boxes)
        (root / f"bounding_box_2d_tight_labels_{frame:04}.json").write_text('{"0": {"class": "person"}}')
        (root / f"bounding_box_2d_tight_prim_paths_{frame:04}.json").write_text('["/World/Person"]')
