"""A dataset in an object store is the one that a local folder gets, and is brought up to date the same way."""

import pytest

from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.storage.filesystem import Folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bucket():
    server = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys).create_bucket(Bucket="data")
    yield f"s3://test:test@data/{{}}?scheme=http&endpoint_override={host}%3A{port}&region=us-east-1"
    running.stop()


def _read_all(uri: str) -> dict[str, bytes]:
    folder = Folder(uri)
    return {path: folder.read_bytes(path) for path in folder.list_files()}


@pytest.mark.parametrize("format", ["parquet", "png"])
def test_output(bucket, make_job, dump, format):
    local = make_job(format=format)
    remote = make_job(format=format, out_dir=bucket.format(f"out-{format}"))
    convert(local)
    assert convert(remote).exit_code == 0
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
    assert (summary.rows, summary.exit_code) == (12, 0)
    found = verify(job.out_dir)
    assert (found.problems, found.labels_compared) == ((), 12)
    assert convert(job).shards_converted == 0
