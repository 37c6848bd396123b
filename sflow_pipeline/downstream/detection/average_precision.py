"""Average precision of boxes, by the COCO evaluation of pycocotools."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from sflow_pipeline.downstream.detection.objects import Boxes
from sflow_pipeline.errors import MissingExtraError


@dataclass(frozen=True)
class FoundBoxes:
    """Boxes that a network found in one photo: (n, 4) left, top, right, bottom in px, (n,) class, (n,) certainty."""

    xyxy: NDArray[Any]
    channels: NDArray[Any]
    scores: NDArray[Any]


@dataclass(frozen=True)
class Precision:
    """Average precision of one class.

    Attributes:
        ap: mean over the overlaps 0.50, 0.55 to 0.95 that count as found.
        ap50: at overlap 0.50.
        objects: number of true boxes.
    """

    ap: float
    ap50: float
    objects: int


def check_pycocotools() -> None:
    """Find out early whether pycocotools is there.

    Raises:
        MissingExtraError: it is not.
    """
    try:
        import pycocotools.cocoeval  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "task detection: pycocotools is not installed, which computes the average precision",
            hint="pip install 'sflow-pipeline[downstream]', or set task: segmentation",
        ) from error


def compute_precision(
    truth: Sequence[Boxes], found: Sequence[FoundBoxes], names: Mapping[int, str]
) -> dict[str, Precision]:
    """Average precision of every class that has a true box, over all photos, of at most 100 boxes a photo.

    Args:
        truth: of every photo; ignored boxes are COCO's crowds.
        found: of every photo, in the same order.
        names: of the classes by channel, in the order of the result.

    >>> import numpy as np
    >>> box = np.array([[0, 0, 10, 10]])
    >>> truth = Boxes(box, np.array([8]), np.array([False]))
    >>> found = FoundBoxes(box, np.array([8]), np.array([0.9]))
    >>> scores = compute_precision([truth], [found], {8: "car", 9: "pedestrian"})
    >>> list(scores), round(scores["car"].ap, 6)
    (['car'], 1.0)
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations: list[dict[str, Any]] = []
    for i, boxes in enumerate(truth, start=1):
        for xyxy, channel, ignored in zip(boxes.xyxy, boxes.channels, boxes.is_ignored, strict=True):
            box = _to_xywh(xyxy)
            facts = {"image_id": i, "category_id": int(channel), "bbox": box, "area": box[2] * box[3]}
            # Counted from 1: the evaluation takes an annotation with id 0 for one that was not matched.
            annotations.append({"id": len(annotations) + 1, **facts, "iscrowd": int(ignored)})
    detections = [
        {"image_id": i, "category_id": int(channel), "bbox": _to_xywh(xyxy), "score": float(score)}
        for i, boxes in enumerate(found, start=1)
        for xyxy, channel, score in zip(boxes.xyxy, boxes.channels, boxes.scores, strict=True)
    ]
    counts = {
        channel: sum(item["category_id"] == channel and not item["iscrowd"] for item in annotations)
        for channel in names
    }
    if not detections:
        return {names[channel]: Precision(0.0, 0.0, count) for channel, count in counts.items() if count}
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports its progress
        coco = COCO()
        coco.dataset = {
            "images": [{"id": i} for i in range(1, len(truth) + 1)],
            "categories": [{"id": channel, "name": name} for channel, name in names.items()],
            "annotations": annotations,
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]  # overlaps, recalls, classes; any size, 100 boxes
    places = {channel: place for place, channel in enumerate(evaluation.params.catIds)}
    return {
        name: Precision(
            float(precision[:, :, places[channel]].mean()),
            float(precision[0, :, places[channel]].mean()),
            counts[channel],
        )
        for channel, name in names.items()
        if counts[channel]
    }


def _to_xywh(xyxy: NDArray[Any]) -> list[float]:
    left, top, right, bottom = (float(value) for value in xyxy)
    return [left, top, right - left, bottom - top]
