"""COCO, YOLO and KITTI: objects read by other libraries are the simulator's."""

import json
import shutil

import cv2
import numpy as np
import pytest
import yaml
from pycocotools.coco import COCO

from sflow_pipeline import convert
from sflow_pipeline.errors import UsageError
from sflow_pipeline.export.export_dataset import export_dataset
from sflow_pipeline.export.instances import find_instances
from sflow_pipeline.export.object_numbers import ObjectNumbers
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.simulators import LabelFormat

FRAMES = [(f"street_000{street}", frame) for street in range(2) for frame in range(4)]


def read_rgb(path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert pixels is not None, path
    return pixels[:, :, ::-1].astype(np.int64)


def test_coco_masks_are_the_instances(export, read_dump):
    dest, summary = export("coco")
    assert summary.rows == 16
    coco = COCO(str(dest / "annotations" / "instances_train.json"))
    space = load_label_space("cityscapes19")
    class_of_category = {category["id"]: category["class_id"] for category in coco.loadCats(coco.getCatIds())}
    assert 0 not in class_of_category
    objects = 0
    for image in coco.loadImgs(coco.getImgIds()):
        sequence, frame = image["sample_id"].split("/")
        instances = read_dump("instance", sequence, int(frame))
        expected = {int(i): instances == i for i in np.unique(instances) if i >= 1000}
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        assert len(annotations) == len(expected)
        for annotation in annotations:
            mask = coco.annToMask(annotation).astype(bool)
            instance_id = next(i for i, wanted in expected.items() if np.array_equal(mask, wanted))
            assert class_of_category[annotation["category_id"]] == instance_id // 1000
            assert annotation["area"] == mask.sum()
            rows, columns = np.nonzero(mask)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert annotation["bbox"] == box
            objects += 1
        assert (dest / "train" / image["file_name"]).is_file()
    assert objects > 16
    for category in coco.loadCats(coco.getCatIds()):
        assert category["name"] == space.names[category["class_id"]]


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("cityscapes", "1 rows without a readable instance file: theirs number no objects"),
        ("kitti", "1 rows without a readable instance file: theirs number no objects"),
        ("fiftyone", "1 rows without a readable instance file have no boxes"),
        ("coco", "1 rows without a readable instance file are left out"),
        ("yolo", "1 rows without a readable instance file are left out"),
    ],
)
def test_rows_without_an_instance_file_are_said(to, said, street_dump, random_bundle, tmp_path):
    dump = shutil.copytree(street_dump, tmp_path / "dump")
    (dump / "street_0000" / "instance" / "000001.png").unlink()
    convert(dump, tmp_path / "out", bundle=random_bundle, workers=1, gate="off")
    assert said in export_dataset(str(tmp_path / "out"), str(tmp_path / "export"), to).notes


def test_coco_panoptic_covers_every_labelled_pixel(export, read_dump):
    dest, _summary = export("coco", "png")
    content = json.loads((dest / "annotations" / "panoptic_train.json").read_text())
    class_of_category = {category["id"]: category["class_id"] for category in content["categories"]}
    names = {image["id"]: image["sample_id"].split("/") for image in content["images"]}
    assert {category["name"] for category in content["categories"] if category["isthing"]} == {
        "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
    }  # fmt: skip
    for annotation in content["annotations"]:
        sequence, frame = names[annotation["image_id"]]
        label_map = read_dump("semantic", sequence, int(frame))
        rgb = read_rgb(dest / "annotations" / "panoptic_train" / annotation["file_name"])
        ids = rgb @ (1, 256, 65536)
        class_id = {0: 255} | {
            info["id"]: class_of_category[info["category_id"]] for info in annotation["segments_info"]
        }
        np.testing.assert_array_equal(np.vectorize(class_id.get)(ids), label_map)
        assert {info["id"]: info["area"] for info in annotation["segments_info"]} == {
            int(i): int((ids == i).sum()) for i in np.unique(ids) if i
        }


def test_yolo_boxes_are_the_simulators(export, read_boxes):
    dest, summary = export("yolo", variants=[0], min_side_px=1, min_fill=0)
    names = yaml.safe_load((dest / "data.yaml").read_text())["names"]
    assert names[2] == "car" and summary.rows == 8
    boxes_seen = 0
    for sequence, frame in FRAMES:
        lines = (dest / "labels" / "train" / f"{sequence}__{frame:06d}.txt").read_text().splitlines()
        found = set()
        for line in lines:
            index, *box = line.split()
            x, y, width, height = (float(value) for value in box)
            corners = [(x - width / 2) * 96, (y - height / 2) * 48, (x + width / 2) * 96, (y + height / 2) * 48]
            found.add((names[int(index)], *(round(corner) for corner in corners)))
        expected = {(box["class"], *box["xyxy"]) for box in read_boxes(sequence, frame)}
        assert found == expected
        assert (dest / "images" / "train" / f"{sequence}__{frame:06d}.png").is_file()
        boxes_seen += len(expected)
    assert boxes_seen > 8


def test_kitti_numbers_frames_and_objects(export, read_dump):
    dest, summary = export("kitti", variants=[0])
    lines = [json.loads(line) for line in (dest / "samples.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == [f"training/image_2/{i:06d}_10.png" for i in range(8)]
    assert summary.rows == 8
    for line in lines:
        name = line["file"].rpartition("/")[2]
        sequence, frame = line["sample_id"].split("/")
        instances = read_dump("instance", sequence, int(frame))
        semantic = cv2.imread(str(dest / "training" / "semantic" / name), cv2.IMREAD_UNCHANGED)
        numbered = cv2.imread(str(dest / "training" / "instance" / name), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(numbered // 256, semantic)
        numbers = numbered % 256
        np.testing.assert_array_equal(numbers > 0, instances >= 1000)
        objects = {(i, n) for i, n in zip(instances[numbers > 0].tolist(), numbered[numbers > 0].tolist(), strict=True)}
        assert len(objects) == len({i for i, _ in objects}) == len({n for _, n in objects})


def test_objects_of_merged_classes_keep_apart():
    space = load_label_space("cityscapes19")
    label_map = np.array([[13, 13, 14, 14, 0]], np.uint8)
    found = find_instances(np.array([[13001, 13000, 14001, 14001, 0]], np.uint16), label_map, LabelFormat(space))
    assert [(item.class_id, item.number) for item in found] == [(13, 0), (13, 1), (14, 1)]

    def number(class_ids, allowed):
        return ObjectNumbers(allowed).number_frame("a", found, class_ids)

    assert number([26, 26, 26], range(1000)) == [0, 1, 2]
    assert number([26, 26, 27], range(1000)) == [0, 1, 1]
    assert number([26, 26, 26], range(2)) == [0, 1, None]
    assert number([26, 26, 26], range(1, 1000)) == [2, 1, 3]


def test_carla_instances_follow_the_label():
    space = load_label_space("carla-0.9.14")
    label_map = np.array([[14, 14, 14, 1]], np.uint8)
    # tag in red, object in green and blue; the last pixel of the object is labelled road
    instance_map = np.array([[[14, 7, 1], [14, 7, 1], [14, 8, 1], [14, 7, 1]]], np.uint8)
    found = find_instances(instance_map, label_map, LabelFormat(space, instances="class_in_red"))
    assert [(item.class_id, item.area_px, item.xyxy) for item in found] == [
        (14, 2, (0, 0, 2, 1)),
        (14, 1, (2, 0, 3, 1)),
    ]


@pytest.mark.parametrize(
    ("encoding", "instance_map"),
    [
        ("class_times_1000", [[13, 13001, 13001, 13005, 7]]),
        ("class_times_256", [[13 * 256, 13 * 256 + 1, 13 * 256 + 1, 13 * 256 + 5, 7 * 256]]),
        ("numbered_road_users", [[0, 1, 1, 5, 0]]),
        ("numbered", [[0, 1, 1, 5, 0]]),
        ("class_in_red", [[[13, 0, 0], [13, 1, 0], [13, 1, 0], [13, 5, 0], [7, 0, 0]]]),
        ("numbered", [[[0, 0, 0, 0], [140, 0, 0, 255], [140, 0, 0, 255], [0, 5, 0, 255], [0, 0, 0, 255]]]),
    ],
)
def test_every_instance_encoding(encoding, instance_map):
    label_map = np.array([[13, 13, 13, 13, 7]], np.uint8)
    label_format = LabelFormat(load_label_space("cityscapes19"), instances=encoding)
    found = find_instances(np.array(instance_map, np.uint16), label_map, label_format)
    assert sorted(item.xyxy for item in found) == [(1, 0, 3, 1), (3, 0, 4, 1)]
    assert {item.class_id for item in found} == {13}


@pytest.mark.parametrize("to", ["yolo", "yolo-seg"])
def test_without_instances_the_way_out_is_named(to, convert_streets, tmp_path):
    out = str(convert_streets(include="edge"))
    with pytest.raises(UsageError, match="no instance column") as wrong:
        export_dataset(out, str(tmp_path / "dest"), to)
    assert "--include" in wrong.value.hint
    assert list(tmp_path.iterdir()) == []
