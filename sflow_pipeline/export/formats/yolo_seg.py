"""YOLO segmentation: as YOLO detection, with an outline in place of a box."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.export.exporter import ExportTask, Outcome
from sflow_pipeline.export.formats.yolo import export_lines
from sflow_pipeline.export.instances import Instance

NAME = "yolo-seg"
LAYOUT = "images/<split>/*, labels/<split>/*.txt and data.yaml; outlines of countable objects"


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``. The parts of an object become one outline, joined by lines; holes are filled."""
    return export_lines(task, NAME, "outlines", _format_outline)


def _format_outline(instance: Instance, shape: tuple[int, ...]) -> str:
    """Points x, y as fractions of the picture, at the centres of the outermost pixels."""
    height_px, width_px = shape
    points = trace_outline(instance.pixels, shape) + 0.5
    return " ".join(f"{value:.8g}" for value in (points / (width_px, height_px)).reshape(-1))


def trace_outline(pixels: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """One closed outline of an object.

    Args:
        pixels: (n,) positions in the flattened frame.
        shape: (h, w) of the frame.

    Returns:
        (m, 2) x and y of pixels, at least 3: each part after the first begins and ends at its point nearest to the
        outline so far, so that the line to it and back has no area.

    >>> trace_outline(np.array([0, 1, 4, 5, 11]), (4, 4)).tolist()
    [[0, 0], [0, 1], [1, 1], [3, 2], [1, 1], [1, 0]]
    """
    mask = np.zeros(shape, np.uint8)
    mask.reshape(-1)[pixels] = 1
    parts = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    ordered = sorted((part.reshape(-1, 2).astype(np.int64) for part in parts), key=len, reverse=True)
    outline = ordered[0]
    for part in ordered[1:]:
        distances = ((outline[:, None] - part[None]) ** 2).sum(axis=2)
        here, there = np.unravel_index(int(distances.argmin()), distances.shape)
        around = np.concatenate([part[there:], part[: there + 1]]) if len(part) > 1 else part
        outline = np.concatenate([outline[: here + 1], around, outline[here:]])
    return np.concatenate([outline, np.repeat(outline[-1:], max(0, 3 - len(outline)), axis=0)])
