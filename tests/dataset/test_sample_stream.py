"""The stream: every row once an epoch over all ranks and workers, in an order that seed and epoch decide."""

from collections import Counter
from itertools import pairwise

import pytest
import torch
from torch.utils.data import DataLoader

from sflow_pipeline import Sample, open_dataset
from sflow_pipeline.dataset.sample_stream import SampleStream
from sflow_pipeline.errors import UsageError


class Numbers:
    """Rows that are their own index."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def read_values(self, index: int) -> dict[str, int]:
        return {"index": index}

    def decode_values(self, values: dict[str, int]) -> int:
        return values["index"]


SHARDS = (range(100), range(7), range(300), range(93))


def stream(**fields) -> SampleStream[int]:
    return SampleStream(Numbers(500), SHARDS, **{"buffer_rows": 40, **fields})


@pytest.mark.parametrize(("world_size", "workers"), [(1, 0), (1, 2), (2, 2), (3, 1), (8, 1)])
def test_each_row_comes_once(world_size, workers):
    seen: list[int] = []
    per_rank = []
    for rank in range(world_size):
        part = stream(rank=rank, world_size=world_size, seed=5)
        rows = [int(index) for index in DataLoader(part, batch_size=None, num_workers=workers)]
        per_rank.append(len(rows))
        assert len(rows) == part.rows_per_rank
        seen += rows
    assert set(per_rank) == {500 // world_size}
    assert max(Counter(seen).values()) == 1
    assert len(seen) == 500 - 500 % world_size


def test_seed_and_epoch_decide_the_order():
    first, again, other = stream(seed=1), stream(seed=1), stream(seed=2)
    order = list(first)
    assert list(again) == order and list(first) == order
    assert list(other) != order
    again.set_epoch(1)
    assert list(again) != order and sorted(again) == sorted(order)


def test_neighbours_do_not_stay_together():
    order = list(stream(seed=0))
    steps = Counter(b - a for a, b in pairwise(order))
    assert steps[1] < 25  # 499 in order
    assert len({index // 32 for index in order[:32]}) > 3


def test_without_shuffle_it_is_in_order():
    assert list(stream(shuffle=False)) == list(range(500))
    halves = [list(stream(shuffle=False, rank=rank, world_size=2)) for rank in range(2)]
    assert halves[0] + halves[1] == list(range(500))


def test_persistent_workers_follow_the_epoch():
    part = stream(seed=3)
    loader = DataLoader(part, batch_size=None, num_workers=2, persistent_workers=True)
    first = [int(index) for index in loader]
    part.set_epoch(1)
    second = [int(index) for index in loader]
    assert first != second and sorted(first) == sorted(second)
    del loader


@pytest.mark.parametrize("stored", ["parquet", "png"])
def test_it_streams_a_dataset(stored, convert_streets):
    dataset = open_dataset(
        str(convert_streets(format=stored, variants=2)), columns=["label"], variants=[0], transform=Sample.to_tensors
    )
    loader = DataLoader(dataset.stream(seed=1, buffer_rows=2), batch_size=3, num_workers=2)
    found = {name: label for batch in loader for name, label in zip(batch["sample_id"], batch["label"], strict=True)}
    assert len(found) == 8
    for index in range(8):
        sample = dataset[index]
        assert sample["variant"] == 0
        assert torch.equal(found[sample["sample_id"]], sample["label"])


def test_nonsense_is_refused():
    with pytest.raises(UsageError, match="rank 2"):
        stream(rank=2, world_size=2)
    with pytest.raises(UsageError, match="one without the other"):
        stream(rank=0)
    with pytest.raises(UsageError, match="buffer_rows 0"):
        stream(buffer_rows=0)
