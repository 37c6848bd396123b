"""Drivers under test: `sflow-pipeline convert` in processes forked from this one, which has loaded the package.

A forked driver starts in milliseconds, so that a hundred runs take minutes. The command line, the dataset and the
random bundle are the real ones; only its translator is wrapped, to write down which process paints which frame.
"""

import hashlib
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]
PAINTED = "SFLOW_TEST_PAINTED"
_FRAME_S = 0.06


@dataclass(frozen=True)
class LoggedTranslatorFactory:
    """The bundle's translator, which notes ``<process id> <digest of the render>`` for each frame in ``log``."""

    inner: Any
    log: str

    def __call__(self) -> "LoggedTranslator":
        return LoggedTranslator(self.inner(), self.log)


class LoggedTranslator:
    def __init__(self, inner: Any, log: str) -> None:
        self._inner = inner
        self._log = log

    def translate(self, class_index: Any, render: Any, alpha: Any, **look: Any) -> Any:
        with open(self._log, "a", encoding="ascii") as log:
            for picture in render:
                log.write(f"{os.getpid()} {digest_picture(picture)}\n")
        time.sleep(_FRAME_S)  # long enough to be hit midway
        return self._inner.translate(class_index, render, alpha, **look)


def digest_picture(picture: Any) -> str:
    """What a decoded render is known by in the log."""
    return hashlib.sha256(picture.tobytes()).hexdigest()[:16]


def preload() -> None:
    """Load what drivers need, before any of them is forked."""
    import cv2  # noqa: F401
    import ray  # noqa: F401
    import torch

    import sflow_pipeline.bundle.translator
    import sflow_pipeline.cli.app
    import sflow_pipeline.conversion.convert
    import sflow_pipeline.conversion.engines.on_ray.shards
    import sflow_pipeline.run  # noqa: F401

    torch.set_num_threads(1)


def in_child(act: Callable[[], object]) -> None:
    """Run something in a forked process, so that its threads do not end up in later drivers."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        except BaseException:  # noqa: BLE001  whatever it is, the parent only sees the exit code
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("a step of the preparation failed; its traceback is above")


class Driver:
    """A running `convert` in a session of its own.

    Args:
        arguments: after ``convert``.
        log: gets stdout and stderr.
        painted: gets the painted frames.
        limit_bytes: largest file that it may write, in place of a full disk.
        locks: False stands for a file system without locks.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        painted: Path,
        *,
        limit_bytes: int | None = None,
        locks: bool = True,
    ) -> None:
        sys.stdout.flush()
        self.code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                _run_driver(arguments, log, painted, limit_bytes, locks=locks)
            finally:
                os._exit(70)

    def poll(self) -> int | None:
        """Its exit code, -N for signal N; None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self, timeout_s: float) -> int:
        """Its exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs; its whole session is killed.
        """
        end = time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                self.signal(signal.SIGKILL, group=True)
                raise subprocess.TimeoutExpired(f"driver {self.pid}", timeout_s)
            time.sleep(0.02)
        return code

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send a signal to it, or to every process of its group; nothing once it has ended."""
        if self.poll() is None or group:
            try:
                (os.killpg if group else os.kill)(self.pid, number)
            except ProcessLookupError:
                return


def _run_driver(
    arguments: Sequence[str], log: Path, painted: Path, limit_bytes: int | None, *, locks: bool
) -> NoReturn:
    import fcntl
    import resource

    from sflow_pipeline.cli.app import main
    from sflow_pipeline.conversion.job import backend as module

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in ((0, null), (1, target), (2, target)):
        os.dup2(descriptor, number)
    if limit_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    if not locks:
        fcntl.flock = _refuse_lock  # type: ignore[assignment]
    genuine = module.BundleTranslatorFactory
    module.BundleTranslatorFactory = lambda *facts: LoggedTranslatorFactory(genuine(*facts), str(painted))  # type: ignore[assignment,misc]
    sys.argv = ["sflow-pipeline", "convert", *arguments]
    code = 70
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        code = 130
    except BaseException:  # noqa: BLE001  what the runs look for
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _refuse_lock(_descriptor: int, _operation: int) -> NoReturn:
    raise OSError(95, "Operation not supported")
