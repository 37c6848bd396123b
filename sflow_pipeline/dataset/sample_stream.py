"""A shuffled stream of samples, divided among ranks and workers, the same for the same seed and epoch."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from sflow_pipeline.errors import UsageError

T_co = TypeVar("T_co", covariant=True)

#: Rows that are read one after the other; about two row groups at 512x256, so that reading stays sequential.
BLOCK_ROWS = 32


class RowSource(Protocol[T_co]):
    """What a stream reads from."""

    def __len__(self) -> int: ...

    def read_values(self, index: int) -> dict[str, Any]:
        """A row's values, not decoded."""

    def decode_values(self, values: dict[str, Any]) -> T_co:
        """The sample that they are."""


class SampleStream(IterableDataset[T_co], Generic[T_co]):
    """Every row once an epoch, over all ranks and workers together.

    Shards are cut into blocks of neighbouring rows. The order of blocks is shuffled over the whole dataset, each rank
    and worker takes its stretch of it, and a buffer mixes the rows of the blocks that a worker reads. So reading stays
    sequential, few shards still feed many workers, and all ranks get equally many rows: where the rows do not divide
    evenly, the last ``len % world_size`` of the shuffled order are left out of that epoch.

    Args:
        source: the rows.
        shards: the rows of each shard; only their numbers count.
        seed: decides the order, together with the epoch.
        shuffle: False streams in order.
        buffer_rows: rows that wait, still encoded, to be drawn from at random.
        rank, world_size: of this process; taken from ``torch.distributed`` where it is set up when None.

    Raises:
        UsageError: rank, world_size or buffer_rows cannot mean anything.
    """

    def __init__(
        self,
        source: RowSource[T_co],
        shards: Sequence[Sequence[int]],
        *,
        seed: int = 0,
        shuffle: bool = True,
        buffer_rows: int = 256,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        self._source = source
        self._blocks = _cut_blocks([len(rows) for rows in shards])
        self._seed = seed
        self._shuffle = shuffle
        self._buffer_rows = buffer_rows
        self.rank, self.world_size = _find_rank(rank, world_size)
        if buffer_rows < 1:
            raise UsageError(f"buffer_rows {buffer_rows}: must be at least 1", hint="1 mixes blocks only")
        # Shared memory: workers that persist between epochs hold a copy of everything else.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def rows_per_rank(self) -> int:
        """How many samples each rank gets in an epoch."""
        return len(self._source) // self.world_size

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass; call it before each, on every rank with the same number."""
        self._epoch.fill_(epoch)

    def __iter__(self) -> Iterator[T_co]:
        worker = get_worker_info()
        worker_id, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        entropy = (self._seed, int(self._epoch))
        order = np.arange(len(self._blocks))
        if self._shuffle:
            np.random.default_rng(entropy).shuffle(order)
        first = self.rank * self.rows_per_rank
        start = first + self.rows_per_rank * worker_id // workers
        stop = first + self.rows_per_rank * (worker_id + 1) // workers
        rows = self._list_rows(order, start, stop)
        if not self._shuffle:
            for index in rows:
                yield self._source.decode_values(self._source.read_values(index))
            return
        rng = np.random.default_rng((*entropy, self.rank, worker_id, workers))
        buffer: list[dict[str, Any]] = []
        for index in rows:
            values = self._source.read_values(index)
            if len(buffer) < self._buffer_rows:
                buffer.append(values)
                continue
            drawn = int(rng.integers(len(buffer)))
            values, buffer[drawn] = buffer[drawn], values
            yield self._source.decode_values(values)
        for drawn in rng.permutation(len(buffer)):
            yield self._source.decode_values(buffer[drawn])

    def _list_rows(self, order: Sequence[int] | Any, start: int, stop: int) -> Iterator[int]:
        """Rows ``start`` to ``stop`` of the blocks laid end to end in ``order``."""
        position = 0
        for block in order:
            rows = self._blocks[block]
            yield from rows[max(0, start - position) : max(0, stop - position)]
            position += len(rows)
            if position >= stop:
                return


def _cut_blocks(shard_rows: Sequence[int]) -> list[range]:
    """Cut shards into blocks; none crosses the border of a shard.

    >>> _cut_blocks([40, 3])
    [range(0, 32), range(32, 40), range(40, 43)]
    """
    blocks = []
    first = 0
    for rows in shard_rows:
        blocks += [range(i, min(i + BLOCK_ROWS, first + rows)) for i in range(first, first + rows, BLOCK_ROWS)]
        first += rows
    return blocks


def _find_rank(rank: int | None, world_size: int | None) -> tuple[int, int]:
    if (rank is None) != (world_size is None):
        raise UsageError(f"rank {rank}, world_size {world_size}: one without the other", hint="give both, or neither")
    if rank is None or world_size is None:
        is_set_up = torch.distributed.is_available() and torch.distributed.is_initialized()
        return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if is_set_up else (0, 1)
    if not 0 <= rank < world_size:
        raise UsageError(f"rank {rank}: must be from 0 to world_size - 1 = {world_size - 1}", hint="ranks count from 0")
    return rank, world_size
