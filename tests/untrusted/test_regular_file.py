"""What is no regular file, or too large, is refused at once; a test that waits here has failed."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest

from sflow_pipeline.config.steps import load_job_file
from sflow_pipeline.errors import ConfigError, FrameError, UsageError
from sflow_pipeline.simulators import discover
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_codec import decode_rgb, encode_rgb
from sflow_pipeline.storage.parquet_shard import count_rows
from sflow_pipeline.storage.run_lock import LOCK_PATH, RunLock
from sflow_pipeline.street.write_dump import write_sample_dump
from sflow_pipeline.untrusted.limits import Limits, apply_limits, read_limits
from sflow_pipeline.untrusted.regular_file import read_regular


def _make_socket(path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    before = Path.cwd()
    os.chdir(path.parent)  # the path of a socket has a hundred characters at most
    try:
        server.bind(path.name)
    finally:
        os.chdir(before)
        server.close()


MAKERS = {"FIFO": os.mkfifo, "socket": _make_socket, "device": lambda path: path.symlink_to("/dev/zero")}


@pytest.mark.parametrize("kind", MAKERS)
def test_special_files_are_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    MAKERS[kind](path)
    with pytest.raises(OSError, match=r"regular file|No such device"):
        read_regular(path)
    with pytest.raises(OSError, match=r"regular file|No such device"):
        Folder(str(tmp_path)).read_bytes("file")
    with pytest.raises(OSError, match="regular file"):
        count_rows(Folder(str(tmp_path)), "file")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_job_file(path)


@pytest.mark.parametrize("kind", MAKERS)
def test_special_files_in_a_dump_are_left_out_and_named(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "sim"
    write_sample_dump(root, sequences=1, frames=3, size=(96, 48), seed=4, workers=1)
    picture = root / "street_0000" / "rgb" / "000001.png"
    picture.unlink()
    MAKERS[kind](picture)
    dump = discover(str(root))
    assert len(dump.frames) == 2
    kinds = {problem.kind for problem in dump.problems}
    assert kinds & {"special_file", "link_outside"}, kinds


@pytest.mark.parametrize("kind", MAKERS)
def test_special_file_as_a_lock_is_replaced(kind: str, tmp_path: Path) -> None:
    lock = tmp_path / LOCK_PATH
    lock.parent.mkdir()
    MAKERS[kind](lock)
    with RunLock(Folder(str(tmp_path))):
        assert lock.is_file()
        assert not lock.is_symlink()


@pytest.mark.parametrize("pid", ["1" + "0" * 30, "-1", "0", "true", "1.5", "null", '"7"'])
def test_lock_of_a_process_that_cannot_be(pid: str, tmp_path: Path) -> None:
    lock = tmp_path / LOCK_PATH
    lock.parent.mkdir()
    probe = RunLock(Folder(str(tmp_path)), sleep=lambda _seconds: None)
    lock.write_text(f'{{"host": "{probe._owner["host"]}", "pid": {pid}, "token": "x"}}')
    with probe:
        assert "token" in lock.read_text()


def test_limits_are_settable_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = encode_rgb(np.zeros((20, 30, 3), np.uint8))
    monkeypatch.setenv("SFLOW_MAX_PIXELS", "599")
    with pytest.raises(FrameError, match="30x20 is over the limit") as caught:
        decode_rgb(picture)
    assert (caught.value.reason, "SFLOW_MAX_PIXELS" in caught.value.hint) == ("too_large", True)
    monkeypatch.setenv("SFLOW_MAX_PIXELS", "600")
    assert decode_rgb(picture).shape == (20, 30, 3)
    (tmp_path / "a").write_bytes(bytes(100))
    monkeypatch.setenv("SFLOW_MAX_FILE_BYTES", "99")
    with pytest.raises(OSError, match="SFLOW_MAX_FILE_BYTES"):
        read_regular(tmp_path / "a")
    for wrong in ("0", "-1", "1e9", "x", "9" * 40):
        monkeypatch.setenv("SFLOW_MAX_FILE_BYTES", wrong)
        with pytest.raises(UsageError, match="SFLOW_MAX_FILE_BYTES"):
            read_limits()
    apply_limits(Limits(5, 7))
    assert read_limits() == Limits(5, 7)
