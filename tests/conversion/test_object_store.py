"""A dataset in an object store is the one that a local folder gets, and is brought up to date the same way."""

from pathlib import Path

import pytest

from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.storage.filesystem import Folder

pytestmark = pytest.mark.slow


def _read_all(uri: str) -> dict[str, bytes]:
    folder = Folder(uri)
    return {path: folder.read_bytes(path) for path in folder.list_files()}


@pytest.mark.parametrize("format", ["parquet", "png"])
def test_output(bucket, make_job, dump, format):
    local = make_job(format=format)
    remote = make_job(format=format, out_dir=bucket.format(f"out-{format}"))
    convert(local)
    assert convert(remote).status == "clean"
    assert _read_all(remote.out_dir) == _read_all(local.out_dir)
    assert verify(remote.out_dir).problems == ()
    dump.remove_frame("town02", 5)
    convert(local)
    summary = convert(remote)
    assert summary.shards_kept > 0
    assert _read_all(remote.out_dir) == _read_all(local.out_dir)


def test_input(bucket, make_job, dump):
    sim_dir = bucket.format("sim")
    source = Folder(sim_dir)
    for path in Folder(str(dump.root)).list_files():
        source.write_bytes(path, (dump.root / path).read_bytes())
    job = make_job(sim_dir=sim_dir)
    summary = convert(job)
    assert (summary.rows, summary.status) == (12, "clean")
    found = verify(job.out_dir, source=sim_dir)
    assert (found.problems, found.labels_compared) == ((), 12)
    manifest = (Path(job.out_dir) / "manifest.json").read_text()
    assert "s3://" in manifest
    assert "test:test" not in manifest
    assert convert(job).shards_converted == 0
