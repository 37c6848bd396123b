"""The Cityscapes layout, against the published table of label ids and the simulator's own files."""

import cv2
import numpy as np
import pytest

from sflow_pipeline.dataset.row import LabelFormat, Row
from sflow_pipeline.export.relabel import CityscapesLabels
from sflow_pipeline.label_spaces import LabelClass, LabelSpace, load_label_space

#: trainId -> labelId, as cityscapesscripts/helpers/labels.py publishes them.
LABEL_ID = dict(enumerate([7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33])) | {255: 0}
FRAMES = [(f"street_000{street}", frame) for street in range(2) for frame in range(4)]


def read(path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None, path
    return pixels[:, :, ::-1] if pixels.ndim == 3 else pixels


@pytest.mark.parametrize("stored", ["parquet", "png"])
def test_files_hold_cityscapes_numbers(stored, export, read_dump, street_dump):
    dest, summary = export("cityscapes", stored)
    assert summary.rows == 16 and "remapped from cityscapes19" in summary.labels
    for sequence, frame in FRAMES:
        train_ids, instances = read_dump("semantic", sequence, frame), read_dump("instance", sequence, frame)
        label_ids = np.vectorize(LABEL_ID.get)(train_ids)
        objects = np.where(instances >= 1000, label_ids * 1000 + instances % 1000, label_ids)
        for variant in range(2):
            city = sequence.replace("_", "-")
            name = f"train/{city}/{city}_{variant:06d}_{frame:06d}"
            truth = dest / "gtFine" / f"{name}_gtFine"
            np.testing.assert_array_equal(read(f"{truth}_labelIds.png"), label_ids)
            source = (street_dump / sequence / "semantic" / f"{frame:06d}.png").read_bytes()
            assert truth.with_name(f"{truth.name}_labelTrainIds.png").read_bytes() == source
            np.testing.assert_array_equal(read(f"{truth}_instanceIds.png"), objects)
            assert read(f"{truth}_instanceIds.png").dtype == np.uint16
            road = read(f"{truth}_color.png")[label_ids == 7]
            assert (road == (128, 64, 128)).all() and len(road)
            assert read(dest / "leftImg8bit" / f"{name}_leftImg8bit.png").shape == (48, 96, 3)
    assert (instances >= 1000).any()


def test_train_ids_are_the_published_ones():
    labels = CityscapesLabels(LabelFormat(load_label_space("cityscapes34"), "ids"))
    every = np.arange(34, dtype=np.uint8)[None]
    expected = {label_id: train_id for train_id, label_id in LABEL_ID.items() if train_id != 255}
    assert labels.to_train_ids(every)[0].tolist() == [expected.get(i, 255) for i in range(34)]
    assert labels.to_label_ids(every)[0].tolist() == list(range(34))
    assert labels.describe().startswith("labelIds byte for byte")


def test_a_space_of_another_table_with_cityscapes_name_is_remapped():
    own = LabelSpace("cityscapes34", 1, (LabelClass(0, "street", ("flat.road",), (1, 2, 3)),), None)
    label_format = LabelFormat(own, "ids")
    labels, source = CityscapesLabels(label_format), np.zeros((1, 1), np.uint8)
    identity = {"sample_id": "a/1", "sequence_id": "a", "frame_index": 1, "variant": 0, "split": "train"}
    stored = {"bytes": cv2.imencode(".png", source)[1].tobytes(), "path": "1.png"}
    row = Row({**identity, "label": stored}, label_format)
    written = labels.encode(row, labels.space, labels.to_label_ids(source))
    assert cv2.imdecode(np.frombuffer(written, np.uint8), cv2.IMREAD_UNCHANGED).tolist() == [[7]]
    assert labels.describe().startswith("remapped")


def test_other_classes_become_what_they_mean_and_the_lost_are_named():
    labels = CityscapesLabels(LabelFormat(load_label_space("carla-0.9.14"), "ids"))
    # road, building, sky, car, road line, water
    assert labels.to_label_ids(np.array([[1, 3, 11, 14, 24, 23]], np.uint8))[0].tolist()[:5] == [7, 11, 23, 26, 7]
    assert "water" in labels.describe()


def test_cityscapes_scripts_read_it(export):
    pytest.importorskip("cityscapesscripts", reason="it replaces `typing`; try it in an environment of its own")
    from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling

    dest, _summary = export("cityscapes")
    truths = sorted(str(path) for path in (dest / "gtFine").rglob("*_labelIds.png"))
    result = evalPixelLevelSemanticLabeling.evaluateImgLists(truths, truths, evalPixelLevelSemanticLabeling.args)
    assert result["averageScoreClasses"] == pytest.approx(1.0)
