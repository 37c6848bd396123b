"""Inputs beside the repository that once ended in a traceback, a hang or a loss; other tests make their own."""

import json
import shutil
from pathlib import Path

import pytest

from sflow_pipeline.archives import ArchiveError, open_archive
from sflow_pipeline.config.job import build_job
from sflow_pipeline.config.steps import load_job_file
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.errors import ConfigError
from sflow_pipeline.simulators import discover
from sflow_pipeline.simulators.stated_facts import read_stated_facts
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.process_identity import host_name
from sflow_pipeline.storage.run_lock import LOCK_PATH, RunLock

HOSTILE = Path(__file__).parents[2].parent / "shared" / "hostile"
pytestmark = [pytest.mark.shared, pytest.mark.skipif(not HOSTILE.is_dir(), reason="no ../shared/hostile")]


@pytest.mark.parametrize("name", ["bomb", "deep"])
def test_facts_that_explode(name: str, tmp_path: Path) -> None:
    shutil.copy(HOSTILE / "dataset-yaml" / f"{name}.yaml", tmp_path / "dataset.yaml")
    with pytest.raises(ConfigError, match=r"dataset\.yaml"):
        read_stated_facts(str(tmp_path))


@pytest.mark.parametrize("name", ["date", "datekey"])
def test_facts_with_odd_dates(name: str, tmp_path: Path) -> None:
    shutil.copy(HOSTILE / "dataset-yaml" / f"{name}.yaml", tmp_path / "dataset.yaml")
    assert read_stated_facts(str(tmp_path)).metadata["units"]


@pytest.mark.parametrize("name", ["2", "3", "bomb", "nul"])
def test_jobs(name: str) -> None:
    with pytest.raises(ConfigError):
        load_job_file(HOSTILE / "jobs" / f"{name}.yaml")


def test_hdf5() -> None:
    with pytest.raises(ArchiveError, match="not a whole HDF5 file"):
        open_archive(str(HOSTILE / "hdf5" / "blender-211" / "0.hdf5"))


def test_tar_time() -> None:
    assert discover(str(HOSTILE / "tar-mtime"), label_space="cityscapes19").frames


def test_lock(tmp_path: Path) -> None:
    lock = tmp_path / LOCK_PATH
    lock.parent.mkdir()
    lock.write_text((HOSTILE / "lock" / "pid-huge.json").read_text().replace("HOST", host_name()))
    with RunLock(Folder(str(tmp_path))):
        assert len(json.loads(lock.read_text())["token"]) == 16


def test_line_separator_in_a_png_tree(tmp_path: Path, random_bundle: Path) -> None:
    places = {"sim_dir": str(HOSTILE / "u2028-png" / "dump"), "out_dir": str(tmp_path / "out")}
    job = build_job({**places, "bundle": str(random_bundle), "workers": 1, "format": "png", "precision": "fp32"})
    rows = convert(job).rows
    assert convert(job).shards_converted == 0
    found = verify(tmp_path / "out")
    assert (found.problems, found.rows) == ((), rows)
    assert len(list((tmp_path / "out" / "data").rglob("image/*.png"))) == rows > 0


def test_flipped_footer(tmp_path: Path, street_dump: Path, random_bundle: Path) -> None:
    out = Path(shutil.copytree(HOSTILE / "datasets" / "flipped-footer-267", tmp_path / "out"))
    for path in (out, *out.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert verify(out, source=street_dump).problems
    places = {"sim_dir": str(street_dump), "out_dir": str(out), "bundle": str(random_bundle)}
    convert(build_job({**places, "workers": 1, "precision": "fp32", "replace": True}))
    assert verify(out).problems == ()
