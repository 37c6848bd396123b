"""Says who is writing an output folder, so that a second run is told and a dead one's place is taken.

Shards would stay right with two writers (their content decides their names and bytes), but both would do all the work.
A lock of this machine is checked by its process; one of another machine by whether its heartbeat still moves,
which needs no agreement on the time of day. Where the file system has exclusive locks, one of them decides first. Where
not, or where the lock is removed by hand, a run that does not find its own token in the lock before it publishes
something stops there, and says so.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sflow_pipeline.errors import OutputError, SflowError, first_line
from sflow_pipeline.storage.exclusive_file import ExclusiveFile
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.process_identity import host_name, is_process_alive

LOCK_PATH = ".sflow/lock.json"
#: Locked by the operating system, where the file system can.
EXCLUSIVE_PATH = ".sflow/lock"
HEARTBEAT_S = 10.0
_SETTLE_S = 0.5


@dataclass(frozen=True)
class Fence:
    """The token of the run that may write a folder; workers on any machine carry it and look before they publish."""

    folder: Folder
    token: str

    def check(self, *, may_be_missing: bool = False) -> None:
        """Make sure that the folder's lock still holds the token; a lock that cannot be read now says nothing.

        Args:
            may_be_missing: a lock that was removed says nothing, either; for whoever has the file system's own.

        Raises:
            OutputError: another run took the folder over, and is named, or the lock was removed.
        """
        try:
            other = read_lock(self.folder)
        except FileNotFoundError:
            if may_be_missing:
                return
            raise _describe_loss(self.folder, LOCK_PATH) from None
        except (OSError, ValueError, RecursionError):
            return
        if other.get("token") != self.token:
            raise _describe(self.folder, other, "taken over by another run while this one wrote")


def read_lock(folder: Folder) -> dict[str, Any]:
    """The content of a folder's lock.

    Raises:
        FileNotFoundError: there is none.
        OSError, ValueError, RecursionError: it cannot be read.
    """
    content = json.loads(folder.read_bytes(LOCK_PATH))
    if not isinstance(content, dict):
        raise ValueError("not a mapping")
    return content


class RunLock:
    """Held while a run writes an output folder; a context manager.

    Args:
        folder: the output folder.
        heartbeat_s: how often the lock is touched; another machine's lock that stays still three times as long is dead.
        sleep: waits between looks at another machine's heartbeat.
        on_damaged: gets a sentence where the lock cannot be read.

    Raises:
        OutputError: the folder is being written by another run, which is named.
    """

    def __init__(
        self,
        folder: Folder,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        sleep: Callable[[float], None] = time.sleep,
        on_damaged: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._folder = folder
        self._heartbeat_s = heartbeat_s
        self._sleep = sleep
        self._on_damaged = on_damaged
        token = os.urandom(8).hex()
        self._owner = {"host": host_name(), "pid": os.getpid(), "token": token}
        self._beat = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sflow-lock", daemon=True)
        self._exclusive = ExclusiveFile(folder.locate(EXCLUSIVE_PATH)) if folder.is_local else None
        #: For whoever writes on behalf of this run.
        self.fence = Fence(folder, token)

    def __enter__(self) -> "RunLock":
        is_free = self._exclusive is None or self._exclusive.acquire()
        try:
            other = self._read(self._on_damaged)
            if not is_free or (other is not None and self._is_alive(other)):
                raise _describe(self._folder, other or {}, "being written by another run")
            self._write()
            if self._exclusive is None or not self._exclusive.is_locked:
                # Of two that looked at the same time, the later one has the lock.
                self._sleep(_SETTLE_S)
                self.check()
        except BaseException:
            if self._exclusive is not None:
                self._exclusive.release()
            raise
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        self._thread.join()
        other = self._read()
        if other is not None and other.get("token") == self._owner["token"]:
            with contextlib.suppress(SflowError):  # the run's own error matters more; dead locks are taken over
                self._folder.remove(LOCK_PATH)
        if self._exclusive is not None:
            self._exclusive.release()

    def check(self) -> None:
        """Make sure that this run still has the folder.

        Raises:
            OutputError: another run took it over, and is named, or the lock was removed.
        """
        if self._exclusive is not None and not self._exclusive.is_held():
            raise _describe_loss(self._folder, EXCLUSIVE_PATH)
        has_exclusive = self._exclusive is not None and self._exclusive.is_locked
        self.fence.check(may_be_missing=has_exclusive)

    def _is_alive(self, other: dict[str, Any]) -> bool:
        if other.get("host") == self._owner["host"] and isinstance(other.get("pid"), int):
            return is_process_alive(other["pid"]) and _process_start(other["pid"]) == other.get("process_start")
        for _ in range(4):
            self._sleep(self._heartbeat_s)
            seen = self._read()
            if seen is None:
                return False
            if seen != other:
                return True
        return False

    def _read(self, on_damaged: Callable[[str], None] = lambda _text: None) -> dict[str, Any] | None:
        try:
            return read_lock(self._folder)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            on_damaged(f"{LOCK_PATH} was damaged ({first_line(error)}); it is made again")
            return None

    def _write(self) -> None:
        content = {**self._owner, "process_start": _process_start(os.getpid()), "beat": self._beat}
        self._folder.write_bytes(LOCK_PATH, json.dumps(content).encode())

    def _run(self) -> None:
        while not self._stopped.wait(self._heartbeat_s):
            self._beat += 1
            try:
                self.check()
            except SflowError:  # the run has lost the folder; whatever it would publish next says so
                return
            with contextlib.suppress(SflowError):  # a full disk is reported by the shard that meets it
                self._write()


def _describe(folder: Folder, other: dict[str, Any], what: str) -> OutputError:
    who = f": process {other.get('pid')} on {str(other.get('host')).rpartition('.')[0]}" if other else ""
    return OutputError(
        f"{folder.uri}: {what}{who}", hint="wait for it or stop it; one output folder takes one run at a time"
    )


def _describe_loss(folder: Folder, path: str) -> OutputError:
    return OutputError(
        f"{folder.uri}: its lock {path} was removed or replaced while the run wrote",
        hint="run the same command again when no other run writes there; finished shards are kept, unless all of "
        ".sflow was removed: then remove the folder first",
    )


def _process_start(pid: int) -> str:
    """When a process started, in clock ticks since boot: tells a process from a later one with the same number."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stream:
            return stream.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
