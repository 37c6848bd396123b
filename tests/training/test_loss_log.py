"""losses.csv is a table that every reader of CSV takes, whatever terms come and go."""

import csv
from pathlib import Path

from sflow_pipeline.training.run.loss_log import LossLog


def test_windows_are_means_and_a_term_may_be_absent_or_new(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    log = LossLog(path, 0, window_images=4)
    for images, terms in ((2, {"gan": 1.0, "r1": 3.0}), (4, {"gan": 2.0}), (6, {"gan": 1.0}), (8, {"gan": 1.0})):
        log.add(images, terms)
    log.flush()
    resumed = LossLog(path, 8, window_images=4)
    for images in (10, 12):
        resumed.add(images, {"gan": 4.0, "l1": 0.5})
    resumed.flush()
    rows = list(csv.DictReader(path.open()))
    assert [row["images_seen"] for row in rows] == ["4", "8", "12"]
    assert [float(row["gan"]) for row in rows] == [1.5, 1.0, 4.0]
    assert [row["r1"] for row in rows] == ["3.00000", "", ""]
    assert [row["l1"] for row in rows] == ["", "", "0.50000"]


def test_what_is_no_row_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_text("images_seen,gan\n4,1.0\n\nx\n8,2.0\n")
    LossLog(path, 8).flush()
    assert path.read_text().split() == ["images_seen,gan", "4,1.0", "8,2.0"]


def test_rows_past_the_point_of_a_resume_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_text("images_seen,gan\n4,1.0\n8,2.0\n12,3.0\n")
    log = LossLog(path, 8, window_images=4)
    log.flush()
    assert path.read_text().split() == ["images_seen,gan", "4,1.0", "8,2.0"]
