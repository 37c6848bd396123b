"""Average precision of hand-made boxes, by hand and by pycocotools' own summary of a COCO file."""

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sflow_pipeline.downstream.detection.average_precision import FoundBoxes, Precision, compute_precision
from sflow_pipeline.downstream.detection.objects import Boxes

NAMES = {8: "car", 9: "pedestrian", 10: "bicyclist"}


def draw_photos(rng: np.random.Generator, count: int = 12) -> tuple[list[Boxes], list[FoundBoxes]]:
    """True boxes of two classes, some of them ignored, and found ones: shifted, missing, doubled, invented."""
    truth, found = [], []
    for _ in range(count):
        corner = rng.uniform(0, 300, (5, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(10, 90, (5, 2))], axis=1)
        channels = rng.choice([8, 9], 5)
        truth.append(Boxes(boxes, channels, rng.random(5) < 0.2))
        shifted = boxes[rng.random(5) < 0.8]
        near = np.concatenate([shifted, shifted[:1], rng.uniform(0, 300, (2, 2)).repeat(2, 1)[:, [0, 2, 1, 3]]])
        near = near + rng.normal(0, 6, near.shape)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        found.append(FoundBoxes(near, rng.choice([8, 9], len(near)), rng.random(len(near))))
    return truth, found


def test_it_is_what_pycocotools_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, found = draw_photos(np.random.default_rng(4))
    content = {
        "images": [{"id": i, "width": 400, "height": 400} for i in range(len(truth))],
        "categories": [{"id": channel, "name": name} for channel, name in NAMES.items()],
        "annotations": [],
    }
    for i, boxes in enumerate(truth):
        for (x, y, x2, y2), channel, ignored in zip(
            boxes.xyxy.tolist(), boxes.channels.tolist(), boxes.is_ignored.tolist(), strict=True
        ):
            content["annotations"].append(
                {"id": len(content["annotations"]) + 1, "image_id": i, "category_id": channel, "iscrowd": int(ignored)}
                | {"bbox": [x, y, x2 - x, y2 - y], "area": (x2 - x) * (y2 - y)}
            )
    detections = [
        {"image_id": i, "category_id": channel, "score": score, "bbox": [x, y, x2 - x, y2 - y]}
        for i, boxes in enumerate(found)
        for (x, y, x2, y2), channel, score in zip(
            boxes.xyxy.tolist(), boxes.channels.tolist(), boxes.scores.tolist(), strict=True
        )
    ]
    (tmp_path / "truth.json").write_text(json.dumps(content))
    (tmp_path / "found.json").write_text(json.dumps(detections))
    coco = COCO(str(tmp_path / "truth.json"))
    evaluation = COCOeval(coco, coco.loadRes(str(tmp_path / "found.json")), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    capsys.readouterr()
    result = compute_precision(truth, found, NAMES)
    assert capsys.readouterr().out == ""
    assert list(result) == ["car", "pedestrian"]
    assert np.mean([score.ap for score in result.values()]) == pytest.approx(evaluation.stats[0])
    assert np.mean([score.ap50 for score in result.values()]) == pytest.approx(evaluation.stats[1])
    assert 0 < result["car"].ap < result["car"].ap50 < 1
    true_cars = sum(int((boxes.channels[~boxes.is_ignored] == 8).sum()) for boxes in truth)
    assert result["car"].objects == true_cars


def test_half_of_the_boxes_found_is_half_of_the_recalls() -> None:
    truth = Boxes(np.array([[0, 0, 10, 10], [50, 50, 60, 60]]), np.array([8, 8]), np.array([False, False]))
    found = FoundBoxes(np.array([[0, 0, 10, 8]]), np.array([8]), np.array([0.9]))  # overlap 0.8
    # COCO looks at the precision at recalls 0, 0.01 … 1: it is 1 up to 0.50, in 51 of 101, at overlaps 0.50 to 0.80.
    assert compute_precision([truth], [found], NAMES) == {
        "car": Precision(pytest.approx(51 / 101 * 7 / 10), pytest.approx(51 / 101), 2)
    }


def test_what_is_found_in_an_ignored_region_is_not_wrong() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 20, 90, 90]])
    found = FoundBoxes(np.array([[0, 0, 10, 10], [30, 30, 40, 40]]), np.array([8, 8]), np.array([0.5, 0.9]))
    ignoring = Boxes(boxes, np.array([8, 8]), np.array([False, True]))
    assert compute_precision([ignoring], [found], NAMES)["car"].ap == pytest.approx(1)
    strict = Boxes(boxes[:1], np.array([8]), np.array([False]))
    assert compute_precision([strict], [found], NAMES)["car"].ap == pytest.approx(0.5)


def test_nothing_found_is_zero() -> None:
    truth = Boxes(np.array([[0, 0, 10, 10]]), np.array([9]), np.array([False]))
    nothing = FoundBoxes(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))
    assert compute_precision([truth], [nothing], NAMES) == {"pedestrian": Precision(0.0, 0.0, 1)}
