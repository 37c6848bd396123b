"""The table and the plot of made-up rows."""

from html import unescape
from xml.etree import ElementTree

import pytest

from sflow_pipeline.evaluation.results.files import write_comparison
from sflow_pipeline.evaluation.results.markdown import draw_markdown
from sflow_pipeline.evaluation.results.plot import draw_svg
from sflow_pipeline.evaluation.results.scores import Evaluation, Score, TableRow
from sflow_pipeline.metrics.miou import MIOU, MIOU_COMMON
from sflow_pipeline.storage.filesystem import Folder

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def evaluation() -> Evaluation:
    def row(name: str, role: str, miou: float | None, n: int = 8) -> TableRow:
        scores = {
            "miou": Score(miou, n, interval=None if miou is None else (miou - 0.05, miou + 0.05), note="no trains"),
            "miou_common": Score(miou, n, note="over 5 classes"),
        }
        return TableRow(name, role, f"/data/{name}", n, {"64x48": n - 1, "8x8": 1}, "camvid11", scores)  # type: ignore[arg-type]

    rows = (row("a <b> & | c", "dataset", 0.3), row("nothing", "dataset", None), row("real", "oracle", 0.6))
    return Evaluation(
        {"reference": "/photos", "reference_split": "val", "interval": "bootstrap"}, rows, (MIOU, MIOU_COMMON)
    )


def read_cells(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[unescape(cell).strip() for cell in line.replace("\\|", "¦").strip("|").split("|")] for line in lines]


def test_table_holds_every_row_and_its_share_of_the_oracle(evaluation: Evaluation) -> None:
    head, _rule, first, second, oracle = read_cells(draw_markdown(evaluation))
    assert head == ["pictures", "images", "size", "miou ↑", "miou of oracle"]
    assert first == ["a <b> & ¦ c", "8", "64x48 (7), 8x8 (1)", "0.300 [0.250, 0.350]", "50.0%"]
    assert second[3:] == ["-", "-"]
    assert oracle[3:] == ["0.600 [0.550, 0.650]", "-"]


def test_note_that_is_about_every_row_is_told_once(evaluation: Evaluation) -> None:
    markdown = draw_markdown(evaluation)
    assert markdown.count("no trains") == 1
    assert "over 5 classes" not in markdown  # miou_common says nothing that miou does not
    assert "- real photos: /photos, split val; " in markdown


def test_bars_are_as_long_as_their_scores(evaluation: Evaluation) -> None:
    root = ElementTree.fromstring(draw_svg(evaluation))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "a <b> & | c" in texts and "nothing" not in texts
    first, oracle = [rect for rect in root.iter(f"{SVG}rect") if rect.get("height") == "16"]
    assert float(first.attrib["width"]) == pytest.approx(float(oracle.attrib["width"]) / 2, abs=0.1)
    lines = [path.attrib["d"] for path in root.iter(f"{SVG}path") if path.get("stroke-dasharray")]
    end = float(oracle.attrib["x"]) + float(oracle.attrib["width"])
    assert len(lines) == 1
    assert float(lines[0][1:].split()[0]) == pytest.approx(end, abs=0.1)


@pytest.mark.slow
def test_files_in_an_object_store_are_named_without_keys(evaluation: Evaluation, bucket: str) -> None:
    written = write_comparison(evaluation, bucket.format("table"))
    names = sorted(path.partition("?")[0].rpartition("/")[2] for path in written)
    assert (
        names
        == sorted(Folder(bucket.format("table")).list_files())
        == [f"comparison.{end}" for end in ("json", "md", "svg")]
    )
    assert "test:test" not in " ".join(written)
