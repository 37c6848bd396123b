"""Objects and boxes of labelled pictures, the detector's loss, and a whole comparison on squares that can be learnt."""

import csv
import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sflow_pipeline.config.downstream_job import load_downstream_job
from sflow_pipeline.downstream.compare import Comparer, Progress
from sflow_pipeline.downstream.detection.average_precision import FoundBoxes, compute_precision
from sflow_pipeline.downstream.detection.box_loss import build_targets, compute_box_loss
from sflow_pipeline.downstream.detection.detector import CELL_PX, Detector, decode_boxes
from sflow_pipeline.downstream.detection.objects import find_boxes
from sflow_pipeline.downstream.files import write_for_reports, write_results
from sflow_pipeline.downstream.networks import build_network
from sflow_pipeline.errors import SflowError
from sflow_pipeline.report.dataset_page import write_report_page

Write = Callable[..., Path]
CARS = {(220, 40, 40): 8, (40, 40, 220): 9}  # RGB -> class of CamVid


def write_squares(root: Path, count: int, seed: int, *, instances: bool, swap: bool = False) -> Path:
    """Grey pictures 64x48 with a red car and a blue pedestrian, squares whose places differ; ``swap``: of colours."""
    rng = np.random.default_rng(seed)
    for frame in range(count):
        picture = rng.integers(100, 140, (48, 64, 3)).astype(np.uint8)
        label, numbers = np.full((48, 64), 3, np.uint8), np.zeros((48, 64), np.uint16)
        for number, (left, (color, class_id)) in enumerate(zip((0, 32), CARS.items(), strict=True), start=1):
            side = int(rng.integers(14, 24))
            x, y = left + int(rng.integers(0, 32 - side)), int(rng.integers(0, 48 - side))
            picture[y : y + side, x : x + side] = color
            label[y : y + side, x : x + side] = 17 - class_id if swap else class_id
            numbers[y : y + side, x : x + side] = number
        files = {"rgb": picture[..., ::-1], "semantic": label} | ({"instance": numbers} if instances else {})
        for kind, image in files.items():
            path = root / "s" / kind / f"{frame:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)
    (root / "dataset.yaml").write_text("label_space: camvid11\n")
    return root


@pytest.fixture
def write_boxes(write_job: Write, tmp_path: Path) -> Write:
    write_squares(tmp_path / "sim_squares", 8, 1, instances=True, swap=True)
    write_squares(tmp_path / "real_squares", 8, 2, instances=True)
    write_squares(tmp_path / "test_squares", 4, 3, instances=False)

    def write(**changes: object) -> Path:
        settings = {
            "task": "detection",
            "sources": {"rendered": str(tmp_path / "sim_squares"), "real": str(tmp_path / "real_squares")},
            "tests": {"held-out": str(tmp_path / "test_squares")},
            "steps": 120,
            "batch_size": 4,
            "lr": 1e-2,
            "seeds": [0],
        }
        return write_job(**(settings | changes))

    return write


def test_instances_separate_objects_that_touch(write_boxes: Write, tmp_path: Path) -> None:
    label, numbers = np.full((96, 128), 3, np.uint8), np.zeros((96, 128), np.uint16)
    label[10:30, 10:50], numbers[10:30, 10:30], numbers[10:30, 30:50] = 8, 7, 9
    label[40:44, 5:25] = 8  # cars without number
    label[2, 60] = 9  # a speck
    for name in ("instances", "regions"):
        root = write_squares(tmp_path / name, 1, 0, instances=name == "instances")
        cv2.imwrite(str(root / "s/rgb/000.png"), np.zeros((96, 128, 3), np.uint8))
        cv2.imwrite(str(root / "s/semantic/000.png"), label)
        if name == "instances":
            cv2.imwrite(str(root / "s/instance/000.png"), numbers)
    sources = {"rendered": str(tmp_path / "instances"), "real": str(tmp_path / "regions")}
    job = load_downstream_job(write_boxes(sources=sources, frame_width_px=[100, 128]))
    comparer = Comparer(job, tmp_path / "out")
    found = {}
    for part, pictures in comparer.parts.items():
        boxes = find_boxes(pictures.photos.read(0)[1], pictures.photos.read_instances(0), [8, 9])
        found[part.name] = {
            (*map(int, xyxy), int(channel), bool(ignored))
            for xyxy, channel, ignored in zip(boxes.xyxy, boxes.channels, boxes.is_ignored, strict=True)
        }
    speck = {(60, 2, 61, 3, 9, True)}
    assert (
        found["rendered"] == {(10, 10, 30, 30, 8, False), (30, 10, 50, 30, 8, False), (5, 40, 25, 44, 8, True)} | speck
    )
    assert found["real"] == {(10, 10, 50, 30, 8, False), (5, 40, 25, 44, 8, False)} | speck
    notes = comparer.summarise().notes
    assert any(note.startswith("source real: 1 of 1 pictures have no instances") for note in notes)
    assert not any(note.startswith("source rendered: 1") for note in notes)


def test_a_perfect_output_has_no_loss_and_a_precision_of_one() -> None:
    rng = np.random.default_rng(0)
    label, numbers = np.full((1, 96, 128), 3, np.uint8), np.zeros((1, 96, 128), np.uint16)
    for number, (x, y, w, h, channel) in enumerate(
        [(3, 5, 30, 21, 8), (70, 8, 13, 40, 9), (36, 60, 55, 30, 8), (100, 70, 9, 9, 10)], start=1
    ):
        label[0, y : y + h, x : x + w], numbers[0, y : y + h, x : x + w] = channel, number
    label[0, 90:, :10] = 8  # ignored
    targets = build_targets(label, numbers, [8, 9, 10], 11, (24, 32))
    output = torch.full((1, 7, 24, 32), 0.0)
    output[:, :3] = torch.where(targets.heat == 1, 30.0, -30.0)
    i, row, column = targets.places
    output[i, 3:, row, column] = targets.numbers
    assert compute_box_loss(output, targets).item() == pytest.approx(0, abs=1e-6)
    worse = output.clone()
    worse[:, 0, 23, 1] = 30.0  # a car where cars without number are: not wrong
    assert compute_box_loss(worse, targets).item() == pytest.approx(0, abs=1e-6)
    worse[:, 0, 12, 25] = 3.0  # a car where there is none
    assert compute_box_loss(worse, targets).item() > 0.1
    worse = output + torch.from_numpy(rng.normal(0, 0.1, output.shape)).float()
    assert compute_box_loss(worse, targets).item() > 0.01

    xyxy, places, scores = decode_boxes(output[0])
    found = FoundBoxes(xyxy.numpy(), np.array([8, 9, 10])[places.numpy()], scores.numpy())
    truth = find_boxes(label[0], numbers[0], [8, 9, 10])
    result = compute_precision([truth], [found], {8: "car", 9: "pedestrian", 10: "bicyclist"})
    assert {name: score.ap for name, score in result.items()} == pytest.approx(
        {"car": 1.0, "pedestrian": 1.0, "bicyclist": 1.0}
    )


def test_decoded_boxes_are_where_the_outputs_say() -> None:
    output = torch.full((6, 4, 8), -9.0)
    output[1, 2, 5] = 4.0
    output[2:, 2, 5] = torch.tensor([math.log(20), math.log(10), 0.25, 0.5])
    xyxy, places, scores = decode_boxes(output)
    centre = (5.25 * CELL_PX, 2.5 * CELL_PX)
    assert xyxy[0].tolist() == pytest.approx([centre[0] - 10, centre[1] - 5, centre[0] + 10, centre[1] + 5], abs=1e-4)
    assert (int(places[0]), float(scores[0])) == (1, pytest.approx(1 / (1 + math.exp(-4))))


@pytest.mark.parametrize("name", ["segmenter", "segformer"])
def test_both_networks_are_trunks(name: str) -> None:
    if name == "segformer":
        pytest.importorskip("transformers")
    network = Detector(build_network(name, 16, 16), 16, classes=3)
    output = network(torch.zeros(2, 3, 64, 96))
    assert output.shape == (2, 7, 16, 24)
    output.sum().backward()
    assert network.verdict.weight.grad is not None


def test_boxes_are_learnt_and_rows_are_added(write_boxes: Write, tmp_path: Path) -> None:
    out = tmp_path / "out"
    comparer = Comparer(load_downstream_job(write_boxes(arms=["real"])), out)
    comparison = comparer.finish()
    scores = comparison.arms[0].tests["held-out"]
    assert list(scores.classes) == ["car", "pedestrian"]
    assert scores.measures["ap50"].by_seed[0] > 0.8
    assert scores.measures["ap50"].by_seed[0] == pytest.approx(np.mean([s.by_seed[0] for s in scores.classes.values()]))
    weights = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/weights.safetensors")}

    more = Comparer(load_downstream_job(write_boxes(arms=["rendered", "real"])), out)
    assert [(run.arm.name, run.steps_left) for run in more.list_runs()] == [("rendered", 120), ("real", 0)]
    comparison = more.finish()
    assert {path: path.stat().st_mtime_ns for path in weights} == weights
    rendered, real = (comparison.find(name) for name in ("rendered", "real"))
    assert rendered is not None and real is not None
    assert rendered.tests["held-out"].measures["ap50"].by_seed[0] < 0.3  # names swapped
    assert comparison.share_of_gap(real, "held-out") == 1
    write_results(comparison, out)
    rows = list(csv.DictReader((out / "downstream-detection.csv").open()))
    assert {row["measure"] for row in rows} == {"ap50", "ap"}
    table = (out / "downstream-detection.md").read_text()
    assert "AP50, held-out" in table and "AP, held-out" in table and "AP50 per class, held-out" in table
    assert "AP50 on held-out, 4 photos" in (out / "downstream-detection.svg").read_text()
    # The same job as segmentation keeps these files, and trains its own networks.
    other = Comparer(load_downstream_job(write_boxes(arms=["real"], task="segmentation")), out)
    assert other.list_runs()[0].steps_left == 120


def test_interrupted_training_resumes_exactly(
    write_boxes: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sflow_pipeline.downstream.training_run._SAVE_EVERY_STEPS", 4)
    job = load_downstream_job(write_boxes(arms=["real + rendered"], steps=9))

    def stop(progress: Progress) -> None:
        if progress.done == 6:
            raise KeyboardInterrupt

    expected = Comparer(job, tmp_path / "a").finish()
    with pytest.raises(KeyboardInterrupt):
        Comparer(job, tmp_path / "b").finish(stop)
    seen: list[int] = []
    found = Comparer(job, tmp_path / "b").finish(lambda progress: seen.append(progress.done))
    assert seen == [5, 6, 7, 8, 9]
    assert found.to_dict() == expected.to_dict()


def test_an_instance_file_that_changes_trains_again(write_boxes: Write, tmp_path: Path) -> None:
    job = load_downstream_job(write_boxes(arms=["real"], steps=1))
    Comparer(job, tmp_path / "out").finish()
    path = tmp_path / "real_squares/s/instance/000.png"
    numbers = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    numbers[numbers == 2] = 0
    cv2.imwrite(str(path), numbers)
    assert Comparer(job, tmp_path / "out").list_runs()[0].steps_left == 1
    regions = load_downstream_job(write_boxes(arms=["real"], steps=1, objects="regions"))
    first = Comparer(regions, tmp_path / "out").finish()
    cv2.imwrite(str(path), numbers * 0)
    assert Comparer(regions, tmp_path / "out").finish().to_dict() == first.to_dict()


def test_pictures_without_objects_are_refused(write_boxes: Write, write_pictures: Write, tmp_path: Path) -> None:
    empty = write_pictures(tmp_path / "empty")
    with pytest.raises(SflowError, match=r"test blank: no picture of .* shows a person, a vehicle"):
        Comparer(load_downstream_job(write_boxes(tests={"blank": str(empty)})), tmp_path / "out")


def test_a_damaged_instance_file_is_named(write_boxes: Write, tmp_path: Path) -> None:
    path = tmp_path / "real_squares/s/instance/003.png"
    path.write_bytes(b"no picture")
    with pytest.raises(SflowError, match=r"source real: .*instance/003\.png"):
        Comparer(load_downstream_job(write_boxes()), tmp_path / "out")
    cv2.imwrite(str(path), np.zeros((10, 10), np.uint16))
    with pytest.raises(SflowError, match=r"instance/003\.png.* 10x10"):
        Comparer(load_downstream_job(write_boxes()), tmp_path / "out")


def test_the_report_has_both_tasks(convert_streets: Callable[..., Path], write_boxes: Write, tmp_path: Path) -> None:
    converted = Path(shutil.copytree(convert_streets(include=("instance",)), tmp_path / "converted"))
    sources = {"rendered": str(converted), "real": str(tmp_path / "real_squares")}
    for task in ("segmentation", "detection"):
        job = load_downstream_job(write_boxes(sources=sources, task=task, steps=1))
        comparison = Comparer(job, tmp_path / "out").finish()
        assert json.dumps(comparison.to_dict(), allow_nan=False)
        write_for_reports(comparison, job)
    page = Path(write_report_page(str(converted))).read_text()
    assert page.count("Training on these frames</h2>") == 1
    assert "Training a detector on these frames" in page and "AP50 per class, held-out" in page


def test_what_detection_needs_is_named_before_anything_is_read(
    write_boxes: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = tmp_path / "surfaces.yaml"
    space.write_text(
        "{name: surfaces, version: 1, source: test, void: 255, classes: [{id: 3, name: road, concepts: [flat.road], "
        "color: [1, 1, 1]}, {id: 255, name: void, concepts: [void], color: [0, 0, 0]}]}"
    )
    job = load_downstream_job(write_boxes(label_space=str(space), sources={"real": "/nowhere"}, arms=["real"]))
    with pytest.raises(SflowError, match="no class of label space surfaces is a person, a vehicle"):
        Comparer(job, tmp_path / "out")
    monkeypatch.setitem(sys.modules, "pycocotools.cocoeval", None)
    with pytest.raises(SflowError, match="pycocotools is not installed") as caught:
        Comparer(job, tmp_path / "out")
    assert "sflow-pipeline[downstream]" in str(caught.value.hint)
