"""Crops cut ahead of time by threads while a GPU computes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sflow_pipeline.training.data.crops import CropBatch, CropSampler
from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup

#: A GPU's step on a batch is shorter than one core's time to cut it.
_THREADS = 4

Batch = TypeVar("Batch")


def prefetch_batches(
    sampler: CropSampler, first_image: int, last_image: int, batch_size: int, group: ProcessGroup = SINGLE_PROCESS
) -> Iterator[CropBatch]:
    """The batches from ``first_image`` to ``last_image``, in order, the next few cut ahead of time.

    A crop depends on its number alone, so threads do not change what is trained on.
    """
    numbers = range(first_image, last_image, batch_size)
    return prefetch(lambda number: sampler.cut_batch(number, batch_size, group), numbers)


def prefetch(cut: Callable[[int], Batch], numbers: Iterable[int]) -> Iterator[Batch]:
    """``cut`` of every number, in order, the next few cut ahead of time by threads.

    >>> list(prefetch(lambda number: number * number, range(4)))
    [0, 1, 4, 9]
    """
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="crops")
    ahead: deque[Future[Batch]] = deque()
    try:
        for number in numbers:
            ahead.append(pool.submit(cut, number))
            if len(ahead) > 2 * _THREADS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
