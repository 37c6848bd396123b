"""Killed, stopped, or run twice at once: what is committed stays, and the end is the same."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sflow_pipeline import run
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.status.progress import SilentProgress
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.errors import OutputError
from sflow_pipeline.storage.commits import load_commits
from sflow_pipeline.storage.filesystem import Folder

pytestmark = pytest.mark.slow

#: A conversion in a process of its own, slow enough to be hit in the middle.
SCRIPT = """
import errno, fcntl, json, os, sys, time
from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.errors import SflowError

fields, delay_s, gate, has_locks = json.loads(sys.argv[1]), float(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])

def refuse(*_arguments):
    raise OSError(errno.EOPNOTSUPP, "not supported")

if not has_locks:
    fcntl.flock = refuse

class Slow:
    def __init__(self):
        self.inner = Translator(load_bundle(fields["bundle"]), "cpu", "fp32")
        self.frames = 0
    def translate(self, *arguments, **look):
        self.frames += 1
        time.sleep(delay_s)
        while self.frames > 4 and os.path.exists(gate):
            time.sleep(0.02)
        return self.inner.translate(*arguments, **look)

try:
    convert(build_job(fields), build_translator=Slow)
except KeyboardInterrupt as stop:
    sys.exit(getattr(stop, "exit_code", 130))
except SflowError as error:
    sys.exit(error.message)
"""


@pytest.fixture
def start(start_process) -> Callable[..., subprocess.Popen]:
    """Starts a slow conversion of a job in a process of its own; after four frames it waits while ``gate`` exists."""

    def run(job, delay_s: float = 0.15, gate: str | Path = "", *, has_locks: bool = True) -> subprocess.Popen:
        fields = job.model_dump(mode="json")
        arguments = [json.dumps(fields), str(delay_s), str(gate), json.dumps(has_locks)]
        return start_process([sys.executable, "-c", SCRIPT, *arguments], stderr=subprocess.PIPE, text=True)

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


@pytest.mark.parametrize("has_locks", [True, False], ids=["locks", "no locks"])
def test_two_drivers_at_once(start, make_job, snapshot, clean, tmp_path, has_locks):
    """The first stands still in the middle while the second runs; its lock was removed by hand."""
    job, gate = make_job(shard_frames=2), tmp_path / "gate"
    gate.touch()
    first = start(job, 0.0, gate, has_locks=has_locks)
    _wait_for_commit(job.out_dir, first)
    (Path(job.out_dir) / ".sflow/lock.json").unlink()
    second = start(job, 0.0, has_locks=has_locks)
    second_says = second.communicate(timeout=300)[1]
    gate.unlink()
    first_says = first.communicate(timeout=300)[1]
    # A lock of the file system holds without its file; where there is none, the second takes the folder over.
    winner, loser, loser_says = (first, second, second_says) if has_locks else (second, first, first_says)
    assert (winner.returncode, loser.returncode) == (0, 1), (first_says, second_says)
    assert ("being written by another run" if has_locks else "was removed or replaced") in loser_says
    found = snapshot(job.out_dir)
    found.pop(".sflow/lock", None)  # an empty file, tried out and left where the file system cannot lock it
    assert found == clean
    assert verify(job.out_dir).problems == ()


def test_no_other_run_gets_in_between_dataset_and_report(make_job, monkeypatch):
    job = make_job()
    refused = []

    def write_report_page(out_dir: str) -> str:
        with pytest.raises(OutputError) as caught:
            convert(make_job(seed=7))
        refused.append(caught.value.message)
        return out_dir

    monkeypatch.setattr(run, "write_report_page", write_report_page)
    run.run_job(job, SilentProgress())
    assert len(refused) == 1 and "being written by another run" in refused[0]


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
