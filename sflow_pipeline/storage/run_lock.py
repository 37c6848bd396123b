"""Says who is writing an output folder, so that a second run is told and a dead one's place is taken.

Shards would stay right with two writers (their content decides their names and bytes), but both would do all the work.
A lock of this machine is checked by its process; one of another machine by whether its heartbeat still moves,
which needs no agreement on the time of day. Where the file system has exclusive locks, one of them decides first. Where
not, every commit carries the fingerprint of its settings, and a run that finds those of another at its end says so.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
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
        self._owner = {"host": host_name(), "pid": os.getpid(), "token": os.urandom(8).hex()}
        self._beat = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sflow-lock", daemon=True)
        self._exclusive = ExclusiveFile(folder.locate(EXCLUSIVE_PATH)) if folder.is_local else None

    def __enter__(self) -> "RunLock":
        is_free = self._exclusive is None or self._exclusive.acquire()
        try:
            other = self._read(self._on_damaged)
            if not is_free or (other is not None and self._is_alive(other)):
                raise self._describe(other or {}, "being written by another run")
            self._write()
            if self._exclusive is None:  # of two that looked at the same time, the later one has the lock
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
        """Make sure that no other run took the folder over.

        Raises:
            OutputError: another run did, and is named.
        """
        other = self._read()
        if other is not None and other.get("token") != self._owner["token"]:
            raise self._describe(other, "taken over by another run while this one wrote")
        if self._exclusive is not None and not self._exclusive.is_held():
            raise OutputError(
                f"{self._folder.uri}: its lock {EXCLUSIVE_PATH} was removed or replaced while the run wrote",
                hint="run the same command again when no other run writes there; what is committed is kept",
            )

    def _describe(self, other: dict[str, Any], what: str) -> OutputError:
        who = f": process {other.get('pid')} on {str(other.get('host')).rpartition('.')[0]}" if other else ""
        return OutputError(
            f"{self._folder.uri}: {what}{who}", hint="wait for it or stop it; one output folder takes one run at a time"
        )

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
            content = json.loads(self._folder.read_bytes(LOCK_PATH))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            on_damaged(f"{LOCK_PATH} was damaged ({first_line(error)}); it is made again")
            return None
        return content if isinstance(content, dict) else None

    def _write(self) -> None:
        content = {**self._owner, "process_start": _process_start(os.getpid()), "beat": self._beat}
        self._folder.write_bytes(LOCK_PATH, json.dumps(content).encode())

    def _run(self) -> None:
        while not self._stopped.wait(self._heartbeat_s):
            self._beat += 1
            try:
                other = self._read()
                if other is not None and other.get("token") != self._owner["token"]:
                    return  # another run has the folder: the next check says so
                self._write()
            except SflowError:  # a full disk is reported by the shard that meets it
                continue


def _process_start(pid: int) -> str:
    """When a process started, in clock ticks since boot: tells a process from a later one with the same number."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stream:
            return stream.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
