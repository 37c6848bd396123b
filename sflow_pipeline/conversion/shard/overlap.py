"""Overlap of work on batches: several at once, in threads, their results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def overlap(work: Callable[[_Item], _Result], items: Iterable[_Item], count: int) -> Iterator[_Result]:
    """``work`` on each item, ``count`` at once; an item is begun once the one ``count`` places before it is done.

    Args:
        work: of one item; with a ``count`` of 1 it runs in the caller's thread.

    Raises:
        Exception: what the work on an item raised, after the results of those before it.

    >>> list(overlap(lambda x: x * x, range(4), 2))
    [0, 1, 4, 9]
    """
    if count == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(count, "sflow-paint") as pool:
        running: deque[Future[_Result]] = deque()
        for item in items:
            if len(running) == count:
                yield running.popleft().result()
            running.append(pool.submit(work, item))
        while running:
            yield running.popleft().result()
