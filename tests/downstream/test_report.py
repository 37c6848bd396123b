"""Converted datasets as sources, and what their report says of the training; hostile names stay text."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sflow_pipeline.config.downstream_job import load_downstream_job
from sflow_pipeline.downstream.compare import Comparer
from sflow_pipeline.downstream.files import write_for_reports, write_results
from sflow_pipeline.report.dataset_page import write_report_page

Write = Callable[..., Path]


@pytest.fixture
def converted(convert_streets: Callable[..., Path], tmp_path: Path) -> Path:
    """A dataset of eight frames with their renders."""
    copy = Path(shutil.copytree(convert_streets(include=("render",)), tmp_path / "converted"))
    (copy / "report").mkdir(exist_ok=True)
    return copy


def test_images_and_renders_of_a_dataset_are_sources(converted: Path, street_dump: Path, write_job: Write) -> None:
    sources = {
        "rendered": {"path": str(converted), "column": "render"},
        "dump": str(street_dump),
        "converted": [str(converted)],
    }
    job = load_downstream_job(write_job(sources=sources, arms=["rendered", "dump", "converted"]))
    comparer = Comparer(job, converted.parent / "out")
    rendered, dump, images = (comparer.parts[arm.parts[0]] for arm in job.parsed_arms)
    assert len(rendered) == len(dump) == len(images) == 8
    assert rendered.digest == dump.digest  # the same pixels and labels, read in two ways
    assert images.digest != rendered.digest
    assert images.class_pixels == rendered.class_pixels


def test_the_report_has_a_table_and_the_plot(converted: Path, write_job: Write, tmp_path: Path) -> None:
    assert "Training on these frames" not in Path(write_report_page(str(converted))).read_text()
    sources = {"rendered": {"path": str(converted), "column": "render"}, "converted": str(converted)}
    job = load_downstream_job(write_job(sources=sources, arms=["rendered", "converted"], goal="converted", steps=2))
    comparison = Comparer(job, tmp_path / "out").finish()
    write_results(comparison, tmp_path / "out")
    assert write_for_reports(comparison, job) == [str(converted)]
    page = Path(write_report_page(str(converted))).read_text()
    section = page[page.index("Training on these frames") :]
    row = re.search(r"<td>converted</td><td>8</td><td>([\d.]+) ± ([\d.]+)</td>", section)
    assert row is not None
    values = list(comparison.arms[1].tests["held-out"].measures["miou"].by_seed.values())
    assert float(row[1]) == pytest.approx(sum(values) / 2, abs=6e-4)
    assert "data:image/svg+xml;base64," in section
    assert section.count("<h2>Evaluation</h2>") == 0


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"arms": 3}', b'{"arms": [{"tests": 7}, 8, {"name": []}]}'])
def test_a_damaged_result_does_not_break_the_report(converted: Path, content: bytes) -> None:
    (converted / "report/downstream.json").write_bytes(content)
    assert Path(write_report_page(str(converted))).stat().st_size > 1000


def test_names_in_results_are_escaped(converted: Path) -> None:
    hostile = "<script>alert(1)</script>"
    score = {"mean": 0.5, "spread": None}
    test = {"miou": score, "share_of_gap": 0.1, "classes": {hostile: score}}
    content = {"arms": [{"name": hostile, "pictures": hostile, "tests": {hostile: test}}], "goal": hostile}
    (converted / "report/downstream.json").write_text(json.dumps(content | {"protocol": {"steps": hostile}}))
    page = Path(write_report_page(str(converted))).read_text()
    assert "alert(1)" in page
    assert hostile not in page
