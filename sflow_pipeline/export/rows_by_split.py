"""Rows of a dataset under new splits."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sflow_pipeline.config.new_splits import NewSplits, assign_splits, name_unit
from sflow_pipeline.dataset.contents import Contents
from sflow_pipeline.dataset.row import Row


def read_rows_by_split(
    contents: Contents, wanted: NewSplits, splits: Sequence[str] | None, variants: Collection[int] | None
) -> Iterator[Row]:
    """The chosen rows under their new splits, in the order of split, sequence, frame, variant.

    Raises:
        UsageError: there are fewer sequences or frames than splits, or no such split.
        OutputError: a shard is gone or damaged.
    """
    steps = contents.find_steps(splits) if wanted.unit == "block" else {}

    def unit_of(values: Mapping[str, Any]) -> str:
        sequence_id = values["sequence_id"]
        step = steps.get(sequence_id, 1)
        return name_unit(wanted.unit, sequence_id, values["frame_index"], values["sample_id"], step)

    units_of = {
        shard.shard_id: Counter(unit_of(values) for values in contents.read_shard(shard, []))
        for shard in contents.select_shards(splits)
    }
    totals: Counter[str] = Counter()
    for counts in units_of.values():
        totals.update(counts)
    split_of = assign_splits(totals, wanted)
    for split in wanted.shares:
        for shard in contents.select_shards(splits):
            if not any(split_of[unit] == split for unit in units_of[shard.shard_id]):
                continue
            for values in contents.read_shard(shard):
                if split_of[unit_of(values)] == split and (variants is None or values["variant"] in variants):
                    yield Row({**values, "split": split}, contents.label_format)
