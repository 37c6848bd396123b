"""Files appear whole or not at all, and only inside their folder."""

import errno
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sflow_pipeline.errors import OutputError, UsageError
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.process_identity import host_name


def _names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_write_and_replace(tmp_path):
    folder = Folder(str(tmp_path))
    folder.write_bytes("a/b/c.json", b"one")
    folder.write_bytes("a/b/c.json", b"two")
    assert folder.read_bytes("a/b/c.json") == b"two"
    assert folder.list_files() == _names(tmp_path) == ["a/b/c.json"]


def test_a_failing_writer_leaves_what_was_there(tmp_path):
    folder = Folder(str(tmp_path))
    folder.write_bytes("a.bin", b"old")
    with pytest.raises(RuntimeError), folder.scratch("a.bin") as scratch:  # noqa: PT012
        scratch.path.write_bytes(b"half of the n")
        raise RuntimeError("the writer died")
    assert folder.read_bytes("a.bin") == b"old"
    assert _names(tmp_path) == ["a.bin"]


def test_a_read_only_file_system_is_named(tmp_path, monkeypatch):
    """Such a system refuses to remove a file that is not there, too."""

    def refuse(self, *_args, **_kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OutputError, match=r"a\.bin: cannot be written: Read-only file system") as caught:
        Folder(str(tmp_path)).write_bytes("a.bin", b"new")
    assert caught.value.hint == "choose an output folder that can be written to"


def test_half_written_files_are_not_listed(tmp_path):
    folder = Folder(str(tmp_path))
    with folder.scratch("data/a.bin") as scratch:
        scratch.path.write_bytes(b"half")
        assert folder.list_files() == []
        assert scratch.path.parent == tmp_path / "data"  # a rename must stay within one filesystem


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "a\\b", "a\0b"])
def test_paths_do_not_leave_the_folder(tmp_path, path):
    with pytest.raises(OutputError):
        Folder(str(tmp_path / "out")).write_bytes(path, b"")


def test_scratch_of_dead_writers_is_removed_and_of_living_ones_kept(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for pid in (dead.pid, os.getpid()):
        (tmp_path / f".sflow-tmp-{host_name()}-{pid}-aa-x").write_bytes(b"")
    Folder(str(tmp_path)).remove_stale_scratch()
    assert _names(tmp_path) == [f".sflow-tmp-{host_name()}-{os.getpid()}-aa-x"]


def test_removing_takes_empty_folders_along(tmp_path):
    folder = Folder(str(tmp_path / "out"))
    folder.write_bytes("a/b/one", b"")
    folder.write_bytes("a/two", b"")
    folder.remove("a/b/one")
    folder.remove("a/b/one")
    assert [path.name for path in (tmp_path / "out/a").iterdir()] == ["two"]


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(OutputError):
        Folder(str(tmp_path / "out")).write_bytes("a", b"")


def test_full_disk_says_so_and_leaves_nothing(tmp_path):
    script = """
import resource, signal, sys
from sflow_pipeline.errors import OutputError
from sflow_pipeline.storage.filesystem import Folder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Folder(sys.argv[1]).write_bytes("data/a.bin", b"x" * 5000)
except OutputError as error:
    print(error.message)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "data/a.bin: cannot be written" in done.stdout
    assert _names(tmp_path) == []


def test_stat(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    found, missing = Folder(str(tmp_path)).stat(["a", "b"])
    assert (found.size_bytes, missing.size_bytes) == (5, -1)
    assert found.mtime_ns == (tmp_path / "a").stat().st_mtime_ns


@pytest.mark.parametrize(
    "address", ["ftps://host/path", "hf://datasets/x/y", "file://other/data", "s3://bucket/a//b", "s3://bucket/a/../b"]
)
def test_addresses_of_no_folder(address):
    with pytest.raises(UsageError) as caught:
        Folder(address)
    assert "s3://bucket/path" in (caught.value.hint or "")


@pytest.mark.parametrize("start", ["file://", "file:", "FILE://", "file://localhost"])
def test_file_addresses_are_the_folders_they_name(tmp_path, start):
    folder = tmp_path / "my dump"
    Folder(start + folder.as_uri().removeprefix("file://")).write_bytes("a.txt", b"1")
    assert (folder / "a.txt").read_bytes() == b"1"


@pytest.mark.parametrize("root", ["", "dump.zip", "dump.zip/inside"])
def test_identities_are_size_and_time_wherever_files_lie(tmp_path, root):
    for name in ("a/1.png", "v1.2/2.jpg", "3.json", "a/4.PNG"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * int(path.stem))
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "a" / "1.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "gone.png")
    with zipfile.ZipFile(tmp_path / "dump.zip", "w") as archive:
        for name in ("5.png", "inside/6.png"):
            archive.writestr(name, b"y" * 6)
    outside = ["a/1.png", "v1.2/2.jpg", "a/4.PNG", "folder.png", "link.png", "dangling.png", "gone.png"]
    packed = ["dump.zip/5.png", "dump.zip/inside/6.png", "dump.zip/7.png"]
    batches = [outside, [*outside, "3.json"], packed, [*outside, *packed]] if not root else [["5.png", "6.png"]]
    folder = Folder(str(tmp_path / root))
    for paths in batches:
        assert folder.identify(paths) == [f"{size}:{time}" for size, time in folder.stat(paths)]
    if not root:
        facts = (tmp_path / "a" / "1.png").stat()
        assert folder.identify(["link.png", "gone.png"]) == [f"{facts.st_size}:{facts.st_mtime_ns}", "-1:0"]
    with pytest.raises(OutputError, match="leads out of its folder"):
        folder.identify(["../a.png"])


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    folder = Folder(str(tmp_path))
    folder.write_bytes("data/train/a.parquet", b"")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("train"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(OutputError, match="data/train: cannot be listed: Permission denied"):
        folder.list_files("data")
    assert folder.list_files() == []  # a file system may have folders of its own at its top
    assert folder.list_files("nowhere") == []
