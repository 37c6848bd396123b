"""A run that lost its folder stops before it publishes anything more, and says so."""

import copy
import errno
import fcntl
import json
from pathlib import Path

import pytest

from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.status.run_status import STATUS_PATH
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.errors import OutputError
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.local_file import TEMP_PREFIX
from sflow_pipeline.storage.run_lock import EXCLUSIVE_PATH, LOCK_PATH, RunLock


def _refuse_lock(_descriptor: int, _operation: int) -> None:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


@pytest.fixture(params=["with locks", "without locks"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    if request.param == "without locks":
        monkeypatch.setattr(fcntl, "flock", _refuse_lock)
    return Folder(str(tmp_path))


def test_token_of_another_run_is_seen_where_a_worker_looks(folder: Folder) -> None:
    with RunLock(folder) as lock:
        fence = copy.deepcopy(lock.fence)  # as for a worker
        fence.check()
        folder.write_bytes(LOCK_PATH, json.dumps({"host": "other.1", "pid": 7, "token": "x"}).encode())
        for check in (fence.check, lock.check):
            with pytest.raises(OutputError, match="taken over by another run while this one wrote: process 7 on other"):
                check()


def test_removed_lock_is_a_lost_one(folder: Folder) -> None:
    with RunLock(folder) as lock:
        for path in (LOCK_PATH, EXCLUSIVE_PATH):
            folder.remove(path)
        for check in (lock.fence.check, lock.check):
            with pytest.raises(OutputError, match="was removed or replaced"):
                check()


def test_lock_of_the_file_system_is_enough(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    with RunLock(folder, heartbeat_s=0.01) as lock:
        folder.remove(LOCK_PATH)
        lock.check()
        while LOCK_PATH not in folder.list_files():
            pass
        lock.fence.check()


def test_damaged_lock_says_nothing_and_is_written_again(folder: Folder) -> None:
    with RunLock(folder, heartbeat_s=0.01) as lock:
        folder.write_bytes(LOCK_PATH, b"[1")
        lock.fence.check()
        while folder.read_bytes(LOCK_PATH) == b"[1":
            pass
        lock.check()


def test_of_two_that_start_together_without_locks_one_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", _refuse_lock)
    folder = Folder(str(tmp_path))
    late = RunLock(folder)

    def arrive(_seconds: float) -> None:  # while the first one settles
        late._sleep = lambda _s: None
        late._write()

    with pytest.raises(OutputError, match="taken over"), RunLock(folder, sleep=arrive):
        pass


def _read_tree(root: Path) -> dict[Path, bytes]:
    """Every file but scratch files and the word that each run leaves about itself."""
    files = (path for path in root.rglob("*") if path.is_file() and path != root / STATUS_PATH)
    return {path: path.read_bytes() for path in files if TEMP_PREFIX not in path.name}


class _AtFrame:
    """Does something once, after a number of frames."""

    def __init__(self, number: int, act) -> None:
        self._number, self._act = number, act

    def __getattr__(self, _name: str):
        return lambda *_args, **_kwargs: None

    def on_frames(self, count: int) -> None:
        self._number -= count
        if self._number == 0:
            self._act()


@pytest.mark.parametrize("number", [1, 4, 7])
@pytest.mark.parametrize("file_format", ["parquet", "png"])
def test_run_that_lost_its_folder_leaves_the_other_ones_dataset_alone(
    number: int, file_format: str, street_dump: Path, tmp_path: Path, random_bundle: Path
) -> None:
    out = tmp_path / "out"
    places = {"sim_dir": str(street_dump), "out_dir": str(out), "bundle": str(random_bundle)}
    common = {**places, "workers": 1, "shard_frames": 3, "precision": "fp32", "format": file_format}
    after = {}

    def other_run() -> None:
        for name in ("lock", "lock.json"):
            (out / ".sflow" / name).unlink()
        convert(build_job({**common, "seed": 7}))
        after.update(_read_tree(out))

    with pytest.raises(OutputError, match=r"removed or replaced|another run"):
        convert(build_job(common), progress=_AtFrame(number, other_run))
    assert _read_tree(out) == after
    assert verify(out).problems == ()
