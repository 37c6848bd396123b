"""FiftyOneDataset folders: pictures, masks, boxes and scores are those of the dataset and of the simulator."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from sflow_pipeline.export.export_dataset import ExportSummary


@pytest.mark.parametrize("stored", ["parquet", "png"])
def test_samples_are_the_rows(
    stored: str, export: Callable[..., tuple[Path, ExportSummary]], read_dump: Any, convert_streets: Callable[..., Path]
) -> None:
    dest, summary = export("fiftyone", stored)
    metadata = json.loads((dest / "metadata.json").read_text())
    assert "version" not in metadata  # with one, FiftyOne expects its database's own documents
    samples = json.loads((dest / "samples.json").read_text())["samples"]
    rows = pd.read_parquet(convert_streets(format="parquet", variants=2) / "data" / "train")
    assert len(samples) == summary.rows == len(rows)
    by_id = {(row.sample_id, row.variant): row for row in rows.itertuples()}
    for sample in samples:
        row = by_id[sample["source_sample"], sample["variant"]]
        assert (dest / sample["filepath"]).read_bytes() == row.image["bytes"]
        assert sample["ground_truth"]["_cls"] == "Segmentation"
        mask = cv2.imread(str(dest / sample["ground_truth"]["mask_path"]), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask, read_dump("semantic", sample["sequence"], sample["frame_index"]))
        assert sample["edge_f1"] == pytest.approx(row.edge_f1)
        assert (sample["metadata"]["width"], sample["metadata"]["height"]) == (96, 48)
        assert sample["tags"] == ["train"]
    targets = metadata["info"]["default_mask_targets"]
    assert targets["13"] == "car" and len(targets) == len(metadata["info"]["default_classes"])


def test_boxes_are_the_simulator_s(
    export: Callable[..., tuple[Path, ExportSummary]], read_boxes: Callable[[str, int], list[dict[str, Any]]]
) -> None:
    dest, summary = export("fiftyone", variants=[0])
    samples = json.loads((dest / "samples.json").read_text())["samples"]
    total = 0
    for sample in samples:
        found = set()
        for item in sample.get("objects", {"detections": []})["detections"]:
            left, top, width, height = np.array(item["bounding_box"]) * (96, 48, 96, 48)
            found.add((item["label"], *(round(float(v)) for v in (left, top, left + width, top + height))))
        boxes = read_boxes(sample["sequence"], sample["frame_index"])
        assert found == {(box["class"], *box["xyxy"]) for box in boxes}
        total += len(found)
    assert total == summary.objects and total > 8
