"""`verify` finds what was tampered with, whatever it was."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.errors import OutputError


@pytest.fixture
def dataset(make_job, tmp_path):
    convert(make_job())
    return tmp_path / "out"


def _shard(dataset):
    return sorted((dataset / "data").rglob("*.parquet"))[0]


def test_sound_dataset(dataset):
    found = verify(str(dataset))
    assert (found.problems, found.rows, found.labels_compared) == ((), 12, 12)


def test_flipped_bit(dataset):
    shard = _shard(dataset)
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 4
    shard.write_bytes(data)
    assert any(shard.name in problem for problem in verify(str(dataset)).problems)


def test_swapped_label_in_a_shard_that_is_whole(dataset):
    shard = _shard(dataset)
    table = pq.read_table(shard)
    rows = table.to_pylist()
    rows[0]["label"], rows[1]["label"] = rows[1]["label"], rows[0]["label"]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), shard)
    problems = verify(str(dataset)).problems
    assert any("label is not the bytes that were read" in problem for problem in problems)


def test_missing_shard(dataset):
    _shard(dataset).unlink()
    found = verify(str(dataset))
    assert any("cannot be read" in problem for problem in found.problems)


def test_stray_file(dataset):
    stray = dataset / "data/train/old-shard.parquet"
    stray.write_bytes(_shard(dataset).read_bytes())
    assert any("belongs to no shard" in problem for problem in verify(str(dataset)).problems)


def test_counts_that_do_not_add_up(dataset):
    manifest = json.loads((dataset / "manifest.json").read_text())
    manifest["counts"]["rows"] += 1
    (dataset / "manifest.json").write_text(json.dumps(manifest))
    assert any("rows" in problem for problem in verify(str(dataset)).problems)


def test_source_that_moved_or_changed_is_no_fault(dataset, dump, tmp_path):
    dump.add_frame("town01", 0, salt="new")
    found = verify(str(dataset))
    assert (found.problems, found.sources_changed, found.labels_compared) == ((), 1, 11)
    dump.root.rename(tmp_path / "moved")
    assert verify(str(dataset)).sources_missing == 12
    assert verify(str(dataset), source=str(tmp_path / "moved")).labels_compared == 11


def test_no_dataset(tmp_path):
    with pytest.raises(OutputError):
        verify(str(tmp_path))
