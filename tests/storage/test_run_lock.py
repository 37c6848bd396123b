"""Who writes a folder is known; a dead writer's place is taken."""

import json
import subprocess
import sys

import pytest

from sflow_pipeline.errors import OutputError
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.process_identity import host_name
from sflow_pipeline.storage.run_lock import LOCK_PATH, RunLock


def _write(folder, **content):
    folder.write_bytes(LOCK_PATH, json.dumps(content).encode())


def test_lock_is_gone_afterwards(tmp_path):
    folder = Folder(str(tmp_path))
    with RunLock(folder):
        assert json.loads(folder.read_bytes(LOCK_PATH))["host"] == host_name()
    assert folder.list_files() == []


def test_a_living_run_is_named(tmp_path):
    folder = Folder(str(tmp_path))
    with RunLock(folder), pytest.raises(OutputError) as caught, RunLock(folder):
        pass
    assert "being written by another run: process" in caught.value.message


def test_a_dead_process_is_taken_over(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    folder = Folder(str(tmp_path))
    _write(folder, host=host_name(), pid=dead.pid, process_start="1", beat=0)
    with RunLock(folder):
        assert json.loads(folder.read_bytes(LOCK_PATH))["pid"] != dead.pid


def test_a_reused_process_number_is_taken_over(tmp_path):
    folder = Folder(str(tmp_path))
    _write(folder, host=host_name(), pid=1, process_start="another time", beat=0)
    with RunLock(folder):
        pass


def test_another_machine_whose_heart_beats(tmp_path):
    folder = Folder(str(tmp_path))
    _write(folder, host="elsewhere.1", pid=1, beat=7)
    with (
        pytest.raises(OutputError) as caught,
        RunLock(folder, sleep=lambda _s: _write(folder, host="elsewhere.1", pid=1, beat=8)),
    ):
        pass
    assert "elsewhere" in caught.value.message


def test_another_machine_whose_heart_stands_still(tmp_path):
    folder = Folder(str(tmp_path))
    _write(folder, host="elsewhere.1", pid=1, beat=7)
    waited = []
    with RunLock(folder, heartbeat_s=10, sleep=waited.append):
        pass
    assert sum(waited) >= 30
