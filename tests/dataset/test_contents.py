"""Reader of finished datasets: rows in order, and only the requested columns are read."""

import shutil

import pytest

from sflow_pipeline.dataset.contents import load_contents
from sflow_pipeline.errors import OutputError, UsageError


@pytest.mark.parametrize("stored", ["parquet", "png"])
def test_named_columns_and_the_identity_are_all_that_is_read(stored, convert_streets):
    contents = load_contents(str(convert_streets(format=stored, variants=2)))
    rows = list(contents.read_rows(variants=[1], columns=["edge_f1", "label"]))
    assert len(rows) == 8 and {row.variant for row in rows} == {1}
    identity = {"sample_id", "sequence_id", "frame_index", "variant", "split"}
    assert set(rows[0].values) == {*identity, "edge_f1", "label"}
    everything = list(contents.read_rows())
    assert [row.sample_id for row in everything if row.variant == 1] == [row.sample_id for row in rows]
    assert everything[1].read_file("label") == rows[0].read_file("label")
    assert [row.frame_index for row in rows[:4]] == sorted(row.frame_index for row in rows[:4])


def test_columns_that_are_not_named_may_be_damaged(convert_streets, tmp_path):
    contents = load_contents(str(shutil.copytree(convert_streets(format="png"), tmp_path / "out")))
    for path in (contents.folder.locate(name) for name in contents.folder.list_files("data") if "/depth/" in name):
        with open(path, "wb"):
            pass
    assert all(row.decode("label") is not None for row in contents.read_rows(columns=["label"]))


def test_a_column_or_shard_that_is_not_there(convert_streets, tmp_path):
    contents = load_contents(str(shutil.copytree(convert_streets(format="parquet"), tmp_path / "out")))
    with pytest.raises(UsageError, match="column 'lable'") as caught:
        list(contents.read_rows(columns=["lable"]))
    assert caught.value.hint == "did you mean label?"
    contents.folder.remove(str(contents.shards[0].path))
    with pytest.raises(OutputError, match="cannot be read"):
        list(contents.read_rows())
