"""The same behaviour on an object store: an S3 server in this process, no network."""

import pytest

from sflow_pipeline.errors import FrameError
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.run_lock import RunLock

pytestmark = pytest.mark.slow


def test_files(bucket):
    folder = Folder(bucket.format("files"))
    folder.write_bytes("a/b.json", b"one")
    folder.write_bytes("a/b.json", b"two")
    assert folder.read_bytes("a/b.json") == b"two"
    assert folder.list_files() == ["a/b.json"]
    found, missing = folder.stat(["a/b.json", "a/c.json"])
    assert (found.size_bytes, missing.size_bytes) == (3, -1)
    folder.remove("a/b.json")
    folder.remove("a/b.json")
    assert folder.list_files() == []


def test_a_failing_writer_publishes_nothing(bucket):
    folder = Folder(bucket.format("failing"))
    with pytest.raises(FrameError), folder.scratch("a.bin") as scratch:  # noqa: PT012
        scratch.path.write_bytes(b"half")
        raise FrameError("bad")
    assert folder.list_files() == []


def test_lock(bucket):
    folder = Folder(bucket.format("lock"))
    with RunLock(folder):
        assert folder.list_files() == [".sflow/lock.json"]
    assert folder.list_files() == []
