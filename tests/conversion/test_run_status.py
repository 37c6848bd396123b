"""The status of a run can be read while it runs and after it failed, and is gone after it ended well."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.status import run_status
from sflow_pipeline.conversion.status.progress import SilentProgress
from sflow_pipeline.conversion.status.run_status import STATUS_PATH, read_run_status
from sflow_pipeline.errors import DumpError
from sflow_pipeline.run import run_job
from sflow_pipeline.storage.filesystem import Folder


class Look(SilentProgress):
    """Reads the status file after every shard, as another machine would."""

    def __init__(self, out: Folder) -> None:
        self._out = out
        self.seen = []

    def on_shard(self, record) -> None:  # noqa: ARG002
        self.seen.append(read_run_status(self._out))


class Warnings(SilentProgress):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.texts = []

    def on_warning(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(run_status, "WRITE_EVERY_S", 0.02)


def test_a_running_conversion(dump, make_job, soon, tmp_path):
    dump.write("town01/rgb/0001.png", b"no picture")
    metrics = tmp_path / "metrics/sflow.prom"
    job = make_job(max_bad_fraction=0.5, gate="off", shard_frames=2, metrics_file=str(metrics))
    look = Look(Folder(job.out_dir))
    convert(job, progress=look)
    last = look.seen[-1]
    assert (last.state, last.frames_total, last.workers) == ("running", 12, 1)
    assert last.shards_total == len(look.seen)
    assert [status.frames for status in look.seen] == sorted(status.frames for status in look.seen)
    assert read_run_status(Folder(job.out_dir)) is None

    lines = metrics.read_text().splitlines()
    label = f'{{out_dir="{job.out_dir}"}}'
    assert f"sflow_frames{label} 12" in lines
    assert f"sflow_quarantined{label} 1" in lines
    assert f'sflow_state{{out_dir="{job.out_dir}",state="finished"}} 1' in lines
    for line in lines:  # the text format: comments, or a name, labels and one number
        if not line.startswith("#"):
            float(line.rpartition(" ")[2])


def test_a_failed_conversion_says_why_until_one_ends_well(dump, make_job):
    for frame in range(6):
        dump.write(f"town01/rgb/{frame:04}.png", b"no picture")
    job = make_job(max_bad_fraction=0.1)
    with pytest.raises(DumpError) as stopped:
        convert(job)
    status = read_run_status(Folder(job.out_dir))
    assert (status.state, status.error) == ("failed", stopped.value.message)
    assert status.quarantined > 1 and sum(status.reasons.values()) == status.quarantined
    for frame in range(6):
        dump.add_frame("town01", frame)
    convert(job)
    assert read_run_status(Folder(job.out_dir)) is None


def test_a_killed_run_is_dead(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    out = Folder(str(tmp_path))
    status = run_status.RunStatus(host=run_status.host_name(), pid=process.pid, updated_s=1000.0)
    for host, age_s, state in ((status.host, 1, "dead"), ("elsewhere.1", 30, "running"), ("elsewhere.1", 90, "dead")):
        out.write_bytes(STATUS_PATH, json.dumps({**asdict(status), "host": host}).encode())
        assert read_run_status(out, lambda age_s=age_s: 1000.0 + age_s).state == state
    out.write_bytes(STATUS_PATH, b"{")
    assert read_run_status(out) is None


def test_the_end_is_told_to_a_command(dump, make_job, tmp_path):
    note = tmp_path / "note"
    command = f"sh -c 'echo $SFLOW_STATE $SFLOW_OUT_DIR $SFLOW_MESSAGE > {note}; cat > {note}.json'"
    job = make_job(notify=command)
    run_job(job, SilentProgress())
    assert note.read_text().split()[:2] == ["finished", job.out_dir]
    assert json.loads(Path(f"{note}.json").read_text())["rows"] == 12
    for path in dump.root.rglob("rgb/*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(DumpError) as failed:
        run_job(job, SilentProgress())
    assert note.read_text() == f"failed {job.out_dir} {failed.value.message}\n"


def test_a_command_that_fails_is_a_warning(make_job):
    for command, word in (
        ("sh -c 'echo no network >&2; exit 4'", "no network"),
        ("no-such-program", "no-such-program"),
    ):
        warnings = Warnings()
        run_job(make_job(notify=command), warnings)
        assert word in warnings.texts[-1]


def test_metrics_that_cannot_be_written_are_a_warning(make_job, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    warnings = Warnings()
    convert(make_job(gate="off", metrics_file=str(tmp_path / "file/sflow.prom")), progress=warnings)
    assert [text for text in warnings.texts if text.startswith(f"metrics_file {tmp_path}/file")]


def test_a_command_may_say_what_is_no_utf_8(make_job):
    warnings = Warnings()
    run_job(make_job(gate="off", notify="sh -c 'printf \"\\377\"'"), warnings)
    assert not [text for text in warnings.texts if "notify" in text]
