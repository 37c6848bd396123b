"""Many small looks at files, several at a time, because on a network each takes its time."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")
_THREADS = 8
#: Items that a thread takes at once: handing over each alone would cost more than a look at a local file.
_BATCH = 64


def map_ahead(look: Callable[[_Item], _Found], items: Sequence[_Item], batch: int = _BATCH) -> Iterator[_Found]:
    """``look`` at each item, in order; a few batches ahead of their use, so that results do not pile up.

    >>> list(map_ahead(abs, [-2, 1, -3]))
    [2, 1, 3]
    """
    with ThreadPoolExecutor(_THREADS, "sflow-look") as pool:
        waiting: deque[Future[list[_Found]]] = deque()
        done: Iterator[list[_Found]] = _drain(waiting)
        try:
            for first in range(0, len(items), batch):
                waiting.append(pool.submit(lambda part: list(map(look, part)), items[first : first + batch]))
                if len(waiting) > 2 * _THREADS:
                    yield from next(done)
            yield from chain.from_iterable(done)
        finally:
            for future in waiting:
                future.cancel()


def _drain(waiting: deque[Future[list[_Found]]]) -> Iterator[list[_Found]]:
    while waiting:
        yield waiting.popleft().result()
