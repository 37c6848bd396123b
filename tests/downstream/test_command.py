"""``sflow-pipeline downstream`` as a person or a script meets it."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.cli.app import main

Run = Callable[..., tuple[int, str, str]]
Write = Callable[..., Path]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def start(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["sflow-pipeline", "downstream", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return start


def test_photos_teach_what_misleading_renders_do_not(run: Run, write_job: Write, tmp_path: Path) -> None:
    code, printed, messages = run(write_job(), "--json")
    assert code == 0, messages
    found = json.loads(printed)
    scores = {arm["name"]: arm["tests"]["held-out"] for arm in found["arms"]}
    assert set(scores["real"]["miou"]["by_seed"]) == {"0", "1"}
    assert scores["real"]["miou"]["mean"] > scores["rendered"]["miou"]["mean"] + 0.2
    assert scores["rendered"]["share_of_gap"] == 0
    assert scores["real"]["share_of_gap"] == 1
    # Test photos have four of the eleven classes, and the others do not pull the mean down.
    classes = scores["real"]["classes"]
    assert list(classes) == ["sky", "building", "road", "tree"]
    assert scores["real"]["miou"]["mean"] == pytest.approx(np.mean([score["mean"] for score in classes.values()]))
    assert scores["real"]["miou"]["spread"] == pytest.approx(
        np.std(list(scores["real"]["miou"]["by_seed"].values()), ddof=1)
    )
    assert any("no photo has pole" in note for note in found["notes"])

    out = tmp_path / "downstream"
    assert json.loads((out / "downstream.json").read_text()) == found
    rows = list(csv.DictReader((out / "downstream.csv").open()))
    values = {row["seed"]: float(row["value"]) for row in rows if row["arm"] == "real" and row["measure"] == "miou"}
    assert values == pytest.approx(scores["real"]["miou"]["by_seed"], abs=1e-6)
    assert "| real | 6 | 120 | " in (out / "downstream.md").read_text()
    assert "real" in (out / "downstream.svg").read_text()


def test_finished_runs_are_kept_and_rows_are_added(run: Run, write_job: Write, tmp_path: Path) -> None:
    run(write_job(seeds=[0]))
    out = tmp_path / "downstream"
    weights = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/weights.safetensors")}
    assert len(weights) == 2
    code, printed, _ = run(
        write_job(seeds=[0, 1], arms=["rendered", "real", "real/2 + rendered"]), "--dry-run", "--json"
    )
    left = json.loads(printed)["left"]
    assert (code, json.loads(printed)["runs"]) == (0, 6)
    assert {(row["arm"], row["seed"]) for row in left} == {
        ("real/2 + rendered", 0), ("rendered", 1), ("real", 1), ("real/2 + rendered", 1)
    }  # fmt: skip
    # The same pictures in another folder, and another test, train nothing again.
    shutil.move(tmp_path / "photos", tmp_path / "moved")
    sources = {"rendered": str(tmp_path / "sim"), "real": str(tmp_path / "moved")}
    tests = {"held-out": str(tmp_path / "held_out"), "seen": str(tmp_path / "moved")}
    code, printed, _ = run(write_job(seeds=[0], sources=sources, tests=tests), "--json")
    assert code == 0
    assert {path: path.stat().st_mtime_ns for path in out.glob("runs/*/weights.safetensors")} == weights
    assert set(json.loads(printed)["arms"][1]["tests"]) == {"held-out", "seen"}


def test_another_budget_or_other_pictures_train_again(run: Run, write_job: Write, tmp_path: Path) -> None:
    run(write_job(seeds=[0], arms=["real"], steps=4))
    for changes in ({"steps": 5}, {"lr": 0.004}, {"width": 10}):
        _, printed, _ = run(write_job(seeds=[0], arms=["real"], **({"steps": 4} | changes)), "--dry-run", "--json")
        assert len(json.loads(printed)["left"]) == 1, changes
    picture = tmp_path / "photos/s/rgb/000.png"
    image = cv2.imread(str(picture))
    image[0, 0] += 1
    cv2.imwrite(str(picture), image)
    _, printed, _ = run(write_job(seeds=[0], arms=["real"], steps=4), "--dry-run", "--json")
    assert len(json.loads(printed)["left"]) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"arms": ["real + nothing"]}, "names nothing, and the sources are rendered, real"),
        ({"arms": ["real /"]}, "is no list of sources"),
        ({"sources": {"or": "x"}}, "is no name"),
        ({"step": 7}, "did you mean steps?"),
        ({"seeds": [1, 1]}, "different numbers"),
        ({"crop_px": "16x16"}, "32 pixels or more"),
        ({"frame_width_px": [400, 200]}, "the smaller first"),
        ({"label_space": "camvid12"}, "camvid11"),
        ({"tests": {"real": "/nowhere"}}, "/nowhere"),
    ],
)
def test_mistakes_in_a_job_are_named(run: Run, write_job: Write, changes: dict[str, object], expected: str) -> None:
    code, _, message = run(write_job(**changes))
    assert code in (1, 2)
    assert expected in message
    assert "Traceback" not in message


def test_classes_without_a_place_are_named(run: Run, write_job: Write, tmp_path: Path) -> None:
    write_job()
    (tmp_path / "sim/dataset.yaml").write_text("label_space: cityscapes19\n")  # 0 road, 1 sidewalk, 3 wall, 5 pole
    code, printed, _ = run(write_job(arms=["rendered"], steps=2, label_space="camvid11"))
    assert code == 0
    assert "rendered: trains on no pixel of sky, tree" in printed
    labels = tmp_path / "sim/s/semantic"
    for path in labels.iterdir():
        cv2.imwrite(str(path), np.full((48, 64), 4, np.uint8))  # static, in 34 classes
    cv2.imwrite(str(next(labels.iterdir())), np.full((48, 64), 7, np.uint8))
    (tmp_path / "sim/dataset.yaml").write_text("label_space: cityscapes34\n")
    code, printed, _ = run(write_job(arms=["rendered"], steps=2))
    assert code == 0
    assert "source rendered: camvid11 has no place for static, dynamic: void" in printed


def test_results_go_to_a_local_folder(run: Run, write_job: Write) -> None:
    code, _, message = run(write_job(), "--out", "s3://bucket/worth")
    assert code == 2
    assert "--out s3://bucket/worth: networks are trained in a local folder" in message


def test_sets_without_pictures_or_common_classes(
    run: Run, write_job: Write, write_pictures: Write, tmp_path: Path
) -> None:
    job = write_job(
        sources={"rendered": {"path": str(tmp_path / "sim"), "samples": "town02*"}, "real": "x"}, arms=["rendered"]
    )
    for _ in range(2):  # what was packed before the fault was found is not taken for a set
        code, _, message = run(job)
        assert (code, "source rendered: no pictures" in message) == (2, True)
    void = write_pictures(tmp_path / "void", void=1.0)
    code, _, message = run(write_job(tests={"blank": str(void)}))
    assert code == 2
    assert "test blank: no pixel of" in message and "camvid11" in message


def test_a_damaged_picture_is_named(run: Run, write_job: Write, tmp_path: Path) -> None:
    (tmp_path / "photos/s/rgb/002.png").write_bytes(b"no picture")
    code, _, message = run(write_job())
    assert code == 1
    assert "source real" in message and "002.png" in message


def test_an_arm_that_cannot_learn_a_tested_class_says_so(
    run: Run, write_job: Write, write_pictures: Write, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "sim2", colors={0: (9, 9, 9), 1: (99, 9, 9)})
    code, printed, _ = run(write_job(sources={"rendered": str(tmp_path / "sim2")}, arms=["rendered"], steps=2))
    assert code == 0
    assert "rendered: trains on no pixel of road, tree" in printed
    assert "share of the gap: needs the arm real" in printed
