"""The contact sheet shows what the dataset holds: one strip per frame, the photo in the last column."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.dataset.contents import load_contents
from sflow_pipeline.report.contact_sheet import CAPTIONS, write_contact_sheet


@pytest.fixture(scope="module")
def dump(tmp_path_factory, random_bundle: Path) -> Path:
    root = tmp_path_factory.mktemp("sheet") / "sim"
    for kind in ("rgb", "semantic"):
        (root / kind).mkdir(parents=True)
    for frame in range(3):
        picture = np.random.default_rng(frame).integers(0, 256, (32, 64, 3), np.uint8)
        cv2.imwrite(str(root / f"rgb/{frame}.png"), picture)
        cv2.imwrite(str(root / f"semantic/{frame}.png"), np.full((32, 64), 3, np.uint8))
    (root / "dataset.yaml").write_text("label_space: camvid11\n")
    (root.parent / "bundle").symlink_to(random_bundle)
    return root


def _convert(dump: Path, out: Path, **fields) -> str:
    defaults = {"sim_dir": str(dump), "out_dir": str(out), "bundle": str(dump.parent / "bundle"), "workers": 1}
    convert(build_job({**defaults, "precision": "fp32", **fields}))
    return str(out)


def test_last_column_is_the_photo(dump, tmp_path):
    out = _convert(dump, tmp_path / "out")
    sheet = cv2.cvtColor(cv2.imread(write_contact_sheet(out, tmp_path / "sheet.png", rows=2)), cv2.COLOR_BGR2RGB)
    cell_width = (sheet.shape[1] + 4) // len(CAPTIONS)
    strip = sheet[28 : 28 + 160]
    assert strip.shape[0] == 160
    row = next(load_contents(out).read_rows())
    photo = cv2.cvtColor(cv2.imdecode(np.frombuffer(row.require_file("image"), np.uint8), 1), cv2.COLOR_BGR2RGB)
    expected = cv2.resize(photo, (320, 160), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(strip[:, 4 * cell_width :], expected)
    assert (strip[:, cell_width : cell_width + 320] == (128, 64, 128)).all()  # road, as labels.json draws it


def test_columns_that_were_left_out_are_said_so(dump, tmp_path):
    out = _convert(dump, tmp_path / "out", include="edge")
    assert cv2.imread(write_contact_sheet(out, tmp_path / "sheet.png")) is not None


def test_default_place_is_in_the_dataset(dump, tmp_path):
    out = _convert(dump, tmp_path / "out")
    assert write_contact_sheet(out) == f"{out}/report/contact_sheet.png"
    assert Path(out, "report/contact_sheet.png").is_file()


def test_only_the_drawn_rows_are_read(dump, tmp_path):
    sim = tmp_path / "sim"
    for split in ("train", "val", "test"):
        for folder in ("rgb", "semantic"):
            shutil.copytree(dump / folder, sim / split / folder)
    (sim / "dataset.yaml").write_text("label_space: camvid11\nsplit: {train: train, val: val, test: test}\n")
    (tmp_path / "bundle").symlink_to(dump.parent / "bundle")
    out = _convert(sim, tmp_path / "out")
    first, *_others, last = load_contents(out).shards
    assert first.split != last.split
    for shard in (first, last):
        (Path(out) / str(shard.path)).unlink()
    assert cv2.imread(write_contact_sheet(out, rows=1)) is not None
