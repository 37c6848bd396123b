"""Interruption by Ctrl-C or a scheduler, as one kind of exception."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived; like Ctrl-C it ends the job cleanly, and finished shards are kept."""

    exit_code = 128 + signal.SIGTERM


@contextmanager
def raise_on_sigterm() -> Iterator[None]:
    """Inside the block SIGTERM raises ``Terminated``; outside the main thread nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    arrived = False

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        nonlocal arrived
        arrived = True
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as error:
        if arrived and not isinstance(error, Terminated):  # waits inside Ray report every signal as Ctrl-C
            raise Terminated from error
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
