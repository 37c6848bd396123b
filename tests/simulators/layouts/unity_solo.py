"""Unity Perception's SOLO: a folder per sequence, spaces in file names, everything named by frame_data.json."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def write(root: Path) -> None:
    """Two sequences of two steps; the left half of every label is a car, the rest is unlabelled."""
    for sequence in (0, 1):
        for step in (0, 1):
            write_step(root / "solo" / f"sequence.{sequence}", step)
    (root / "solo" / "metadata.json").write_text("{}")
    (root / "solo" / "annotation_definitions.json").write_text('{"annotationDefinitions": []}')


def write_step(folder: Path, step: int, cameras: tuple[str, ...] = ("camera",)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    label = np.zeros((32, 32, 4), np.uint8)
    label[..., 3] = 255
    label[:, :16] = [43, 255, 0, 255]  # BGRA
    captures = []
    for camera in cameras:
        picture = f"step{step}.{camera}.png"
        semantic = f"step{step}.{camera}.semantic segmentation.png"
        assert cv2.imwrite(
            str(folder / picture), (np.arange(32 * 32 * 4).reshape(32, 32, 4) // 20 + step).astype(np.uint8)
        )
        assert cv2.imwrite(str(folder / semantic), label)
        captures.append(describe(camera, picture, semantic))
    frame = {"frame": step, "sequence": 0, "step": step, "captures": captures, "metrics": []}
    (folder / f"step{step}.frame_data.json").write_text(json.dumps(frame))


def describe(camera: str, picture: str, semantic: str) -> dict[str, Any]:
    return {
        "@type": "type.unity.com/unity.solo.RGBCamera",
        "id": camera,
        "position": [0, 1, 2],
        "filename": picture,
        "annotations": [
            {
                "@type": "type.unity.com/unity.solo.SemanticSegmentationAnnotation",
                "id": "semantic segmentation",
                "filename": semantic,
                "instances": [{"labelName": "Car", "pixelValue": [0, 255, 43, 255]}],
            }
        ],
    }
