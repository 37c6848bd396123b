"""The report page in a browser: filters, order, viewer by keyboard; nothing is loaded, no name becomes a script."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

_spec = importlib.util.spec_from_file_location("chromium", Path(__file__).with_name("chromium.py"))
chromium = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(chromium)

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="no Chromium (Debian package chromium)")

SHOWN = "[...document.querySelectorAll('.card:not([hidden])')].map((card) => card.querySelector('h3').textContent)"
SET = """((id, value) => {{
  const control = document.querySelector(id);
  control.value = value;
  control.dispatchEvent(new Event('input', {{bubbles: true}}));
}})({!r}, {!r})"""
TITLE = "document.getElementById('viewer-title').textContent"
IS_OPEN = "document.getElementById('viewer').open"
NATURAL = "document.querySelector('.stage img').naturalWidth"
WAIT = "document.querySelector('.stage img').decode().then(() => true)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium.Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started
        assert started.messages == []


def find_page(out: Path) -> Path:
    return out / "report" / "index.html"


def read_scores(out: Path) -> dict[str, list[float]]:
    scores: dict[str, list[float]] = {}
    for path in sorted(out.glob("data/**/*.parquet")):
        for row in pq.read_table(path, columns=["sample_id", "edge_f1"]).to_pylist():
            scores.setdefault(row["sample_id"], []).append(row["edge_f1"])
    return scores


def test_filters_and_order(browser: Any, wide_dataset: Path) -> None:
    browser.open(find_page(wide_dataset))
    scores = read_scores(wide_dataset)
    assert browser.run(SHOWN) == list(scores)
    browser.run(SET.format("#order", "+edge_f1"))
    assert browser.run(SHOWN) == sorted(scores, key=lambda name: min(scores[name]))
    browser.run(SET.format("#order", "-edge_f1"))
    assert browser.run(SHOWN) == sorted(scores, key=lambda name: -min(scores[name]))
    sequence = next(iter(scores)).rpartition("/")[0]
    browser.run(SET.format('[data-filter="sequence"]', sequence))
    assert sorted(browser.run(SHOWN)) == sorted(name for name in scores if name.startswith(f"{sequence}/"))
    assert browser.run("document.getElementById('count').textContent") == "3 of 6 shown"
    browser.run(SET.format("#search", "no such frame"))
    assert browser.run(SHOWN) == []


def test_viewer_by_keyboard(browser: Any, wide_dataset: Path) -> None:
    browser.open(find_page(wide_dataset))
    names = list(read_scores(wide_dataset))
    browser.run("document.querySelector('[data-view]').focus()")
    browser.press("Enter")
    assert browser.run(WAIT)
    assert (browser.run(IS_OPEN), browser.run(TITLE), browser.run(NATURAL)) == (True, names[0], 64)
    browser.press("ArrowRight", "ArrowRight", "ArrowLeft")
    assert browser.run(TITLE) == names[1]
    first = browser.run("document.querySelector('.stage img').src")
    browser.press("ArrowDown")
    assert browser.run("document.querySelector('.stage img').src") != first  # the other variant
    browser.press("v")
    assert browser.run("document.querySelectorAll('.many img').length") == 2
    browser.press("3")
    label = "[...document.querySelectorAll('.stage img')].find((image) => image.alt === 'label').style.clipPath"
    label += ".match(/([\\d.]+)%\\)/)[1]"  # where it begins
    assert browser.run(label) == "0"
    browser.press("2")
    assert browser.run(label) == "100"
    browser.press("4")
    browser.run("document.getElementById('left').focus()")
    value = "Number(document.getElementById('left').value)"
    before = browser.run(value)
    browser.press("ArrowRight")  # moves the slider, not the frame
    assert (browser.run(value), browser.run(TITLE)) == (before + 1, names[1])
    browser.press("Escape")
    assert browser.run(IS_OPEN) is False


@pytest.mark.parametrize("is_dark", [False, True])
def test_phone_needs_no_sideways_scrolling(browser: Any, hostile_dataset: Path, *, is_dark: bool) -> None:
    browser.open(find_page(hostile_dataset), width=390, height=844, is_dark=is_dark)
    assert browser.run("document.documentElement.scrollWidth") <= 390
    browser.run("document.querySelector('[data-view]').click()")
    assert browser.run("document.getElementById('viewer').scrollWidth") <= 390
    red = browser.run("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
    assert (red < 60) is is_dark


def test_names_are_not_run(browser: Any, hostile_dataset: Path) -> None:
    browser.open(find_page(hostile_dataset))
    browser.run("document.querySelector('[data-view]').click()")
    assert browser.run(TITLE).startswith("<script>")
    assert browser.run("document.title") != "run by a name"
    loaded = browser.run("performance.getEntriesByType('resource').map((item) => item.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []
