"""Seconds that the stages of a conversion take, handed on as they are measured."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

Stage = Literal["decode", "paint", "encode", "write"]
#: Gets a stage and seconds, from any thread: of a frame for decode, a batch for paint, a row for encode and write.
OnStage = Callable[[Stage, float], None]


def ignore_stage(_stage: Stage, _seconds: float) -> None:
    """Nobody wants to know."""


@contextmanager
def timed(stage: Stage, on_stage: OnStage) -> Iterator[None]:
    """Measure the block, unless it raises."""
    started = time.perf_counter()
    yield
    on_stage(stage, time.perf_counter() - started)
