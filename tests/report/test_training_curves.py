"""Training curves are a picture that any SVG reader opens, with a panel per term."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.report.training_curves import write_training_curves

SVG = "{http://www.w3.org/2000/svg}"


def test_every_term_has_its_panel_and_falls_where_the_numbers_fall(tmp_path: Path) -> None:
    log = tmp_path / "losses.csv"
    log.write_text("images_seen,gan,dned\n100,1.0,5.0\n200,1.0,4.0\n300,1.0,1.0\n")
    root = ElementTree.parse(write_training_curves(log, tmp_path / "curves.svg")).getroot()
    texts = [node.text for node in root.iter(f"{SVG}text")]
    assert "gan" in texts
    assert "dned" in texts
    assert "300 images" in texts
    lines = [node.attrib["points"].split() for node in root.iter(f"{SVG}polyline")]
    assert len(lines) == 4
    heights = [float(point.split(",")[1]) for point in lines[2]]
    assert heights == sorted(heights)  # a falling loss goes down the page
    assert heights[0] < heights[-1]


def test_an_empty_log_is_said(tmp_path: Path) -> None:
    (tmp_path / "losses.csv").write_text("images_seen,gan\n")
    with pytest.raises(TrainingError, match=r"losses\.csv: no losses in it"):
        write_training_curves(tmp_path / "losses.csv", tmp_path / "curves.svg")
