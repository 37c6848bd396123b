"""Progress of workers, asked for now and then without waiting for any of them."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import ray
from ray.exceptions import RayError

ASK_EVERY_S = 0.5


class FrameCounter:
    """Reports the frames that went through workers, each once, and the workers that have started.

    Args:
        on_frames: gets the number of further frames.
        on_ready: gets the number of workers that have answered so far, whenever it rises.
    """

    def __init__(self, on_frames: Callable[[int], None], on_ready: Callable[[int], None]) -> None:
        self._on_frames = on_frames
        self._on_ready = on_ready
        self._ready: set[Any] = set()
        self._asked: dict[Any, Any] = {}
        self._finished: Counter[Any] = Counter()
        self._reported: Counter[Any] = Counter()
        self._next = 0.0

    def ask(self, workers: Iterable[Any]) -> None:
        """Take the answers that have come, and ask again those that answered; at most twice a second."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + ASK_EVERY_S
        if self._asked:
            waiting = list(self._asked)
            answered, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0)
            for reference in answered:
                worker = self._asked.pop(reference)
                try:
                    total = ray.get(reference)
                except RayError:  # dead; its shard's result says so
                    continue
                self._note(worker, total)
        busy = set(self._asked.values())
        for worker in workers:
            if worker not in busy:
                self._asked[worker.count_frames.remote()] = worker

    def finish(self, worker: Any, frames: int) -> None:
        """A worker has finished a shard of so many frames."""
        self._finished[worker] += frames
        self._note(worker, self._finished[worker])

    def _note(self, worker: Any, total: int) -> None:
        if worker not in self._ready:
            self._ready.add(worker)
            self._on_ready(len(self._ready))
        new = total - self._reported[worker]
        if new > 0:
            self._reported[worker] = total
            self._on_frames(new)
