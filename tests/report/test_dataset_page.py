"""The report page is one file that needs nothing else and says what the manifest says."""

import base64
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

import sflow_pipeline
from sflow_pipeline.report.dataset_page import write_report_page
from sflow_pipeline.street.write_dump import write_sample_dump


class Outline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def dataset(tmp_path: Path, random_bundle: Path) -> Path:
    write_sample_dump(tmp_path / "sim", sequences=1, frames=3, size=(64, 32), seed=1, look="cg", workers=1)
    (
        tmp_path / "sim" / next(p.name for p in (tmp_path / "sim").iterdir() if p.is_dir()) / "rgb" / "000001.png"
    ).write_bytes(b"")
    job = {"bundle": random_bundle, "max_bad_fraction": 1.0, "precision": "fp32"}
    summary = sflow_pipeline.convert(tmp_path / "sim", tmp_path / "out", show_progress=False, **job)
    assert summary.status == "quarantined"
    return tmp_path / "out"


def test_page_is_self_contained_and_true(dataset: Path) -> None:
    page = (dataset / "report" / "index.html").read_text()
    outline = Outline()
    outline.feed(page)
    assert len(outline.sources) == 2
    for source in outline.sources:
        kind, _, data = source.partition(",")
        assert kind == "data:image/jpeg;base64"
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape[1] > 1000
    assert not re.search(r"https?://|<script", page)
    text = " ".join(outline.text)
    assert "2 rows of 3 frames, 1 quarantined" in text
    assert "truncated" in text or "unreadable" in text
    assert "cityscapes19, byte for byte the simulator's" in text


def test_names_from_data_are_escaped(dataset: Path) -> None:
    labels = dataset / "labels.json"
    labels.write_text(labels.read_text().replace('"name": "road"', '"name": "<b>road"'))
    assert "<b>road" not in Path(write_report_page(str(dataset))).read_text()


def test_left_out_files_are_counted_by_reason(dataset: Path, tmp_path: Path, random_bundle: Path) -> None:
    sequence = next(path for path in (tmp_path / "sim").iterdir() if path.is_dir())
    (sequence / "rgb" / "000000.png").unlink()
    job = {"bundle": random_bundle, "max_bad_fraction": 1.0, "precision": "fp32"}
    sflow_pipeline.convert(tmp_path / "sim", dataset, show_progress=False, **job)
    page = (dataset / "report" / "index.html").read_text()
    table = page.partition("Left out</h2>")[2].partition("</table>")[0]
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in table.split("</tr>")]
    counted = {row[0]: (row[1], int(row[2])) for row in rows if row}
    stored = pq.read_table(next((dataset / "quarantine").glob("left_out-*.parquet")))["reason"].to_pylist()
    assert stored
    assert {reason: n for reason, (of, n) in counted.items() if of == "files of no frame"} == dict(Counter(stored))
