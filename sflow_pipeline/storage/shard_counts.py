"""Counts of a dataset: totals over its shards, and per split."""

from collections.abc import Sequence
from dataclasses import dataclass

from sflow_pipeline.storage.commits import ShardRecord


@dataclass(frozen=True)
class Counts:
    """Totals over shards.

    Attributes:
        frames: including quarantined ones.
        rows: converted images.
        quarantined: frames that were not converted.
        rejected: variants that the gate did not accept.
        size_bytes: of data files.
    """

    shards: int
    frames: int
    rows: int
    quarantined: int
    rejected: int = 0
    size_bytes: int = 0


def count_shards(shards: Sequence[ShardRecord]) -> Counts:
    """Totals over shards."""
    return Counts(
        shards=len(shards),
        frames=sum(shard.frames for shard in shards),
        rows=sum(shard.rows for shard in shards),
        quarantined=sum(shard.quarantined for shard in shards),
        rejected=sum(shard.rejected for shard in shards),
        size_bytes=sum(shard.size_bytes for shard in shards),
    )


def count_splits(shards: Sequence[ShardRecord]) -> dict[str, Counts]:
    """Totals per split, sorted by name."""
    return {
        split: count_shards([shard for shard in shards if shard.split == split])
        for split in sorted({shard.split for shard in shards})
    }
