"""Killed, stopped, or run twice at once: what is committed stays, and the end is the same."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.errors import OutputError
from sflow_pipeline.storage.commits import load_commits
from sflow_pipeline.storage.filesystem import Folder

pytestmark = pytest.mark.slow

#: A conversion in a process of its own, slow enough to be hit in the middle.
SCRIPT = """
import json, sys, time
from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert

fields, delay_s = json.loads(sys.argv[1]), float(sys.argv[2])

class Slow:
    def __init__(self):
        self.inner = Translator(load_bundle(fields["bundle"]), "cpu", "fp32")
    def translate(self, *arguments, **look):
        time.sleep(delay_s)
        return self.inner.translate(*arguments, **look)

try:
    convert(build_job(fields), build_translator=Slow)
except KeyboardInterrupt as stop:
    sys.exit(getattr(stop, "exit_code", 130))
"""


@pytest.fixture
def start(start_process) -> Callable[..., subprocess.Popen]:
    """Starts a slow conversion of a job in a process of its own."""

    def run(job, delay_s: float = 0.15) -> subprocess.Popen:
        fields = job.model_dump(mode="json")
        return start_process([sys.executable, "-c", SCRIPT, json.dumps(fields), str(delay_s)])

    return run


def _wait_for_commit(out_dir: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 300  # a loaded machine takes a minute to start Ray
    while time.monotonic() < deadline and process.poll() is None:
        if (Path(out_dir) / ".sflow/commits").is_dir() and load_commits(Folder(out_dir)):
            return
        time.sleep(0.02)
    raise AssertionError(f"no shard was committed; the process ended with {process.poll()}")


@pytest.fixture
def clean(make_job, snapshot, tmp_path):
    """What an undisturbed run writes."""
    job = make_job(out_dir=str(tmp_path / "clean"), shard_frames=2)
    convert(job)
    return snapshot(job.out_dir)


def test_kill_and_resume(start, make_job, snapshot, clean):
    job = make_job(shard_frames=2)
    process = start(job)
    _wait_for_commit(job.out_dir, process)
    process.kill()
    process.wait()
    assert not (Path(job.out_dir) / "manifest.json").exists()
    kept = load_commits(Folder(job.out_dir))
    summary = convert(job)
    assert summary.shards_kept == len(kept) > 0
    assert snapshot(job.out_dir) == clean


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stop_keeps_what_is_committed(start, number, code, make_job, snapshot, clean):
    job = make_job(shard_frames=2)
    process = start(job)
    _wait_for_commit(job.out_dir, process)
    process.send_signal(number)
    assert process.wait(timeout=60) == code
    files = snapshot(job.out_dir)
    assert not [path for path in files if "tmp" in path or "lock" in path]
    assert convert(job).shards_kept > 0
    assert snapshot(job.out_dir) == clean


def test_a_second_run_is_told(start, make_job):
    job = make_job(shard_frames=2)
    process = start(job)
    try:
        _wait_for_commit(job.out_dir, process)
        with pytest.raises(OutputError) as caught:
            convert(job)
        assert f"process {process.pid}" in caught.value.message
    finally:
        process.kill()
        process.wait()


def test_two_drivers_at_once(start, make_job, snapshot, clean):
    job = make_job(shard_frames=2)
    first = start(job)
    _wait_for_commit(job.out_dir, first)
    os.unlink(Path(job.out_dir) / ".sflow/lock.json")  # as if each were on a machine that cannot see the other
    second = start(job, delay_s=0.05)
    assert (first.wait(timeout=120), second.wait(timeout=120)) == (0, 0)
    assert snapshot(job.out_dir) == clean
    assert verify(job.out_dir).problems == ()


@pytest.mark.ray
def test_stopping_ray_workers_leaves_nothing_half(start, make_job, snapshot, clean):
    pytest.importorskip("ray")
    job = make_job(shard_frames=2, workers=2)
    process = start(job, delay_s=0.3)
    _wait_for_commit(job.out_dir, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    assert not [path for path in snapshot(job.out_dir) if "tmp" in path or "lock" in path]
    assert convert(make_job(shard_frames=2)).shards_kept > 0
    assert snapshot(job.out_dir) == clean
