"""Input that cannot be scored ends in words: an error with a way out, or a dash with its reason."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.bundle import build_random_bundle
from sflow_pipeline.report.contact_sheet import write_contact_sheet
from sflow_pipeline.report.dataset_page import write_report_page

Write = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]


def test_labels_that_share_no_class_with_the_judge_get_a_dash_and_the_reason(
    tmp_path: Path, run: Run, judge_file: Path, write_photos: Write
) -> None:
    rooms = write_photos(tmp_path / "rooms")
    classes = "".join(
        f"  - {{id: {i}, name: thing{i}, concepts: [indoor.thing{i}], color: [{i}, 0, 0]}}\n" for i in range(11)
    )
    void = "  - {id: 11, name: void, concepts: [void], color: [0, 0, 9]}\n"
    (rooms / "rooms.yaml").write_text(f"name: rooms\nversion: 1\nvoid: 11\nclasses:\n{classes}{void}")
    (rooms / "dataset.yaml").write_text("label_space: rooms.yaml\n")
    code, printed, _ = run("--reference", rooms, "--judge", judge_file)
    assert code == 0
    assert "nan" not in printed.lower()
    assert "no label pixel is of a scored class" in printed
    content = json.loads(run("--reference", rooms, "--judge", judge_file, "--json")[1])
    score = content["rows"][0]["scores"]["miou"]
    assert score["value"] is None and "no class in common" in score["note"]


def test_pictures_of_several_sizes_are_scored_at_their_own(
    tmp_path: Path, run: Run, judge_file: Path, write_photos: Write
) -> None:
    real = write_photos(tmp_path / "real", 3)
    for kind in ("rgb", "semantic"):
        path = real / "s" / kind / "000.png"
        larger = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).repeat(2, 0).repeat(2, 1)
        cv2.imwrite(str(path), larger)
    code, printed, _ = run("--reference", real, "--judge", judge_file, "--json")
    assert code == 0
    (row,) = json.loads(printed)["rows"]
    assert row["sizes_px"] == {"64x48": 2, "128x96": 1}
    assert row["scores"]["pixel_accuracy"]["value"] > 0.95  # the larger one is answered at half its size


@pytest.mark.parametrize("kind", ["extractor", "judge", "bundle"])
def test_corrupt_weights_are_named(tmp_path: Path, run: Run, write_photos: Write, kind: str) -> None:
    real = write_photos(tmp_path / "real", 2)
    if kind == "bundle":
        file = build_random_bundle(tmp_path / "bundle").path
        (file / "bundle.yaml").write_text((file / "bundle.yaml").read_text() + "]")
        option = "--judge"
    else:
        file = tmp_path / ("net.safetensors" if kind == "extractor" else "net.torchscript.pt")
        file.write_bytes(b"\x20\x00\x00\x00\x00\x00\x00\x00{broken")
        option = f"--{kind}"
    flags = ("--judge-size", "64x48", "--judge-label-space", "camvid11") if kind == "judge" else ()
    code, _, said = run(
        "--reference", real, option, file, *flags, *(("--judge", "none") if option != "--judge" else ())
    )
    assert code in (1, 2) and file.name in said and "hint" in said
    assert "Inception" not in said  # nothing in the file says that it was one


def test_misspelt_key_of_a_judge_is_named_before_what_is_missing(tmp_path: Path, run: Run, write_photos: Write) -> None:
    (tmp_path / "net.pt").write_bytes(b"x")
    judge = tmp_path / "judge.yaml"
    judge.write_text("file: net.pt\nsize: 64x48\nlabel_space: camvid11\n")
    code, _, said = run("--reference", write_photos(tmp_path / "real", 1), "--judge", judge)
    assert code == 2 and "size: no such key" in said and "did you mean size_px?" in said


def test_dataset_without_an_accepted_image_says_where_they_went(
    tmp_path: Path, run: Run, judge_file: Path, write_photos: Write, write_dataset: Write
) -> None:
    real = write_photos(tmp_path / "real", 2)
    out = write_dataset(write_photos(tmp_path / "sim", 2), tmp_path / "out")
    manifest = json.loads((out / "manifest.json").read_text())
    for shard in manifest["shards"]:
        shard |= {"path": None, "sha256": None, "size_bytes": 0, "rows": 0, "rejected": shard["rows"]}
    manifest["counts"] |= {"rows": 0, "rejected": 2}
    (out / "manifest.json").write_text(json.dumps(manifest))
    code, _, said = run(out, "--reference", real, "--judge", judge_file)
    assert code == 2
    assert "no pictures" in said and "2 images rejected by the gate were left out" in said and "--gate score" in said
    page = Path(write_report_page(str(out))).read_text()
    assert "0 of 0 frames" in page and "2 images rejected by the gate" in page
    assert write_contact_sheet(str(out)) is None


def test_too_few_pictures_for_a_distance_are_told_how_many_are_needed(
    tmp_path: Path, run: Run, extractor_file: Path, write_photos: Write
) -> None:
    real, sim = write_photos(tmp_path / "real", 12), write_photos(tmp_path / "sim", 9)
    code, printed, _ = run(sim, "--reference", real, "--judge", "none", "--extractor", extractor_file)
    assert code == 0
    for name in ("frechet", "kernel"):
        assert f"{name}: 9 images and 12 photos: at least 10 of each are needed" in printed
    assert "nan" not in printed.lower()


def test_a_picture_that_cannot_be_read_is_named(
    tmp_path: Path, run: Run, judge_file: Path, write_photos: Write
) -> None:
    real = write_photos(tmp_path / "real", 2)
    (real / "s" / "rgb" / "001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code, _, said = run("--reference", real, "--judge", judge_file)
    assert code == 1 and "001.png" in said


def test_labels_larger_than_any_class_are_counted_and_not_scored(
    tmp_path: Path, run: Run, judge_file: Path, write_photos: Write
) -> None:
    real = write_photos(tmp_path / "real", 2)
    cv2.imwrite(str(real / "s" / "semantic" / "000.png"), np.full((48, 64), 200, np.uint8))
    code, printed, _ = run("--reference", real, "--judge", judge_file)
    assert code == 0 and "50.00% of the label pixels hold ids outside camvid11" in printed


def test_photos_in_another_label_space_than_stated_are_pointed_at(
    tmp_path: Path, run: Run, judge_file: Path, write_photos: Write
) -> None:
    real = write_photos(tmp_path / "real", 3)
    _, printed, _ = run("--reference", real, "--judge", judge_file)
    assert "check the label space" not in printed
    (real / "dataset.yaml").write_text("label_space: cityscapes19\n")
    code, printed, _ = run("--reference", real, "--judge", judge_file)
    assert code == 0 and "check the label space of the photos (cityscapes19;" in printed
