"""A file that one process at a time holds, by a lock of the operating system; it ends with the process."""

import contextlib
import fcntl
import os
from pathlib import Path


class ExclusiveFile:
    """A lock file at a local path."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._descriptor: int | None = None

    @property
    def is_locked(self) -> bool:
        """Whether the lock was taken; False, too, where the file system has none."""
        return self._descriptor is not None

    def acquire(self) -> bool:
        """Take the lock; False where another process has it, True also where the file system has no locks."""
        while True:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
            except OSError:
                return True  # the folder cannot be written to, or something else is there: the first write says so
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            except OSError:  # no locks here
                os.close(descriptor)
                return True
            self._descriptor = descriptor
            if self.is_held():
                return True
            self.release()  # its last holder removed the file in between: lock the one that is there now

    def is_held(self) -> bool:
        """Whether the file that was locked is still the one at the path; True where there was nothing to lock."""
        if self._descriptor is None:
            return True
        held = os.fstat(self._descriptor)
        try:
            found = os.stat(self._path)
        except OSError:
            return False
        return (held.st_dev, held.st_ino) == (found.st_dev, found.st_ino)

    def release(self) -> None:
        """Give the lock back and remove the file."""
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):
            if self.is_held():
                self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = None
