"""The folder of an export is whole or absent, and never someone else's."""

import errno
import os
import shutil
import subprocess
import sys

import pytest

from sflow_pipeline import open_dataset
from sflow_pipeline.errors import OutputError, UsageError
from sflow_pipeline.export.destination import open_destination
from sflow_pipeline.export.export_dataset import export_dataset
from sflow_pipeline.export.formats import FORMATS
from sflow_pipeline.storage.process_identity import host_name


def test_someone_elses_folder_is_left_alone(convert_streets, tmp_path):
    out = str(convert_streets(format="parquet", variants=2))
    dest = tmp_path / "mine"
    dest.mkdir()
    (dest / "thesis.txt").write_text("years")
    with pytest.raises(OutputError, match=r"thesis\.txt") as refused:
        export_dataset(out, str(dest), "png")
    assert "nothing was changed" in refused.value.hint
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.txt"]
    with pytest.raises(OutputError, match="not a folder"):
        export_dataset(out, str(dest / "thesis.txt"), "png")


@pytest.mark.parametrize("marker", ['{"made_by": "another tool"}', "[]", "no JSON"])
def test_a_file_of_the_markers_name_makes_no_export(marker, convert_streets, tmp_path):
    dest = tmp_path / "mine"
    dest.mkdir()
    (dest / "export.json").write_text(marker)
    (dest / "thesis.txt").write_text("years")
    with pytest.raises(OutputError, match="not an export of sflow-pipeline"):
        export_dataset(str(convert_streets(format="parquet", variants=2)), str(dest), "png")
    assert (dest / "thesis.txt").read_text() == "years"


@pytest.mark.parametrize("place", ["", "data", "..", "new"])
def test_the_dataset_is_left_alone(place, convert_streets):
    out = convert_streets(format="parquet", variants=2)
    with pytest.raises(UsageError, match="is the dataset"):
        export_dataset(str(out), str(out / place), "png")


def test_an_empty_folder_is_filled_and_an_export_replaced(convert_streets, tmp_path):
    out = str(convert_streets(format="parquet", variants=2))
    dest = tmp_path / "dest"
    dest.mkdir()
    export_dataset(out, str(dest), "yolo")
    assert (dest / "data.yaml").is_file()
    export_dataset(out, str(dest), "webdataset")
    assert sorted(path.name for path in dest.iterdir()) == ["export.json", "train-000000.tar"]
    assert [path.name for path in tmp_path.iterdir()] == ["dest"]


def test_a_fault_half_way_leaves_what_was_there(convert_streets, tmp_path, monkeypatch):
    out = str(convert_streets(format="parquet", variants=2))
    dest = tmp_path / "dest"
    export_dataset(out, str(dest), "yolo")
    before = {path: path.read_bytes() for path in dest.rglob("*") if path.is_file()}
    rows = 0

    def stop(_done: int, _total: int) -> None:
        nonlocal rows
        rows += 1
        if rows == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_dataset(out, str(dest), "cityscapes", on_progress=stop)
    assert {path: path.read_bytes() for path in dest.rglob("*") if path.is_file()} == before
    rows = 0
    with pytest.raises(KeyboardInterrupt):
        export_dataset(out, str(tmp_path / "other"), "cityscapes", on_progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["dest"]


def test_what_killed_exports_left_is_cleared_away(tmp_path):
    finished = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = f"{host_name()}-{int(finished.stdout)}"
    half = tmp_path / f".dest.sflow-export-{dead}"
    half.mkdir()
    (half / "half.png").write_bytes(b"")
    alive = tmp_path / f".dest.sflow-export-{host_name()}-{os.getppid()}"
    alive.mkdir()
    replaced = tmp_path / f".dest.sflow-export-{dead}.old"
    replaced.mkdir()
    (replaced / "export.json").write_text("{}")
    with pytest.raises(RuntimeError), open_destination(str(tmp_path / "dest"), "/data/out", {}):
        raise RuntimeError
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([alive.name, "dest"])
    assert (tmp_path / "dest" / "export.json").is_file()  # the one that was about to be replaced is back


@pytest.mark.parametrize("path", ["../evil.png", "/etc/evil", "a/../../evil", "a\\b", "a\0b", ""])
def test_no_name_leads_out(path, tmp_path):
    with (
        pytest.raises(OutputError, match="leads out"),
        open_destination(str(tmp_path / "dest"), "/data/out", {}) as dest,
    ):
        dest.write(path, b"")
    assert list(tmp_path.iterdir()) == []


def test_two_rows_never_share_a_file(tmp_path):
    with open_destination(str(tmp_path / "dest"), "/data/out", {}) as dest:
        dest.write("a.png", b"1")
        with pytest.raises(OutputError, match="two rows"):
            dest.write("a.png", b"2")
    assert (tmp_path / "dest" / "a.png").read_bytes() == b"1"


def test_wrong_words_say_what_there_is(convert_streets, tmp_path):
    out, dest = str(convert_streets(format="parquet", variants=2)), str(tmp_path / "dest")
    with pytest.raises(UsageError) as wrong:
        export_dataset(out, dest, "pascal")
    assert all(name in wrong.value.hint for name in FORMATS)
    with pytest.raises(UsageError, match="split 'test'"):
        export_dataset(out, dest, "png", splits=["test"])
    with pytest.raises(UsageError, match="--variant 7"):
        export_dataset(out, dest, "png", variants=[7])
    with pytest.raises(OutputError, match="not a dataset"):
        export_dataset(str(tmp_path), dest, "png")
    with pytest.raises(UsageError, match="local folders"):
        export_dataset(out, "s3://bucket/dest", "png")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_dataset_is_not_blamed_on_the_destination(street_dump, convert_streets, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(convert_streets(format="parquet", variants=2), out)
    shard = sorted((out / "data").rglob("*.parquet"))[1]
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    with pytest.raises(OutputError, match=f"{shard.name}: cannot be read") as damaged:
        export_dataset(str(out), str(tmp_path / "dest"), "png")
    assert "verify" in damaged.value.hint
    shard.unlink()
    dataset = open_dataset(str(out))
    with pytest.raises(OutputError, match=f"{shard.name}: cannot be read"):
        [dataset[i] for i in range(len(dataset))]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_is_named(convert_streets, tmp_path, monkeypatch):
    out = str(convert_streets(format="parquet", variants=2))

    def refuse(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(type(tmp_path), "write_bytes", refuse)
    with pytest.raises(OutputError, match="No space left") as full:
        export_dataset(out, str(tmp_path / "dest"), "yolo")
    assert full.value.hint == "free some space and run the same command again"
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_an_empty_folder_is_followed(convert_streets, tmp_path):
    (tmp_path / "big_disk").mkdir()
    (tmp_path / "dest").symlink_to("big_disk")
    export_dataset(str(convert_streets(format="parquet", variants=2)), str(tmp_path / "dest"), "yolo")
    assert (tmp_path / "big_disk" / "data.yaml").is_file() and (tmp_path / "dest").is_symlink()
