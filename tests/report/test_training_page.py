"""The page of a run holds what it shows, and is there from the first moment."""

import base64
import re
from pathlib import Path

import cv2
import numpy as np

from sflow_pipeline.report.training_page import write_training_page


def test_page_shows_curves_and_the_newest_pictures_first(tmp_path: Path) -> None:
    (tmp_path / "losses.csv").write_text("images_seen,gan,r1\n100,1.0,0.5\n200,0.9,\n300,0.8,0.4\n")
    (tmp_path / "samples").mkdir()
    for images in range(100, 700, 100):
        cv2.imwrite(str(tmp_path / "samples" / f"{images:09d}.png"), np.full((8, 8, 3), images // 4, np.uint8))
    page = write_training_page(tmp_path).read_text()
    assert re.findall(r"After (\d+) images", page) == ["600", "500", "400", "300"]
    newest = base64.b64decode(re.findall(r"data:image/png;base64,([\w+/=]+)", page)[0])
    assert newest == (tmp_path / "samples" / "000000600.png").read_bytes()
    assert page.count("<svg") == 1
    assert ">r1</text>" in page
    # Everything is in the page: no address but the one that names SVG.
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_other_pictures_among_the_samples_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    for name in ("000000100", "mine"):
        cv2.imwrite(str(tmp_path / "samples" / f"{name}.png"), np.zeros((8, 8, 3), np.uint8))
    assert re.findall(r"After (\w+) images", write_training_page(tmp_path).read_text()) == ["100"]


def test_page_of_a_run_that_has_nothing_yet(tmp_path: Path) -> None:
    assert "Nothing yet" in write_training_page(tmp_path).read_text()
