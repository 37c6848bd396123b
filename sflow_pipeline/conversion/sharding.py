"""Cuts an index into shards by content, so that adding or removing frames re-cuts only the neighbourhood.

A cut is made before the frame with the least hash of its sample id, among those that would make the shard between
half full and full; a frame that starts a sequence goes before all others. Two cuttings that differ in one place meet
again at the next frame that both find least.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class ShardSpan:
    """Rows ``start`` to ``stop`` of an index, one split, by a stable name."""

    shard_id: str
    split: str
    start: int
    stop: int


def cut_shards(index: pa.Table, frame_bytes: Sequence[int], *, max_frames: int, max_bytes: int) -> list[ShardSpan]:
    """Cut an index into shards.

    Args:
        index: sorted by split, sequence, frame index.
        frame_bytes: how much each frame will take, about; one frame may take more than ``max_bytes``.
        max_frames: most frames in a shard.
        max_bytes: most bytes in a shard.

    >>> index = pa.table({"split": ["a"] * 9, "sequence_id": ["s"] * 5 + ["t"] * 4,
    ...                   "sample_id": [f"s/{i}" for i in range(5)] + [f"t/{i}" for i in range(4)]})
    >>> [(span.start, span.stop) for span in cut_shards(index, [1] * 9, max_frames=6, max_bytes=99)]
    [(0, 5), (5, 9)]
    """
    columns: list[list[Any]] = [index[name].to_pylist() for name in ("split", "sequence_id", "sample_id")]
    splits, sequences, samples = columns
    spans = []
    start = 0
    while start < len(samples):
        limit = _find_limit(splits, frame_bytes, start, max_frames, max_bytes)
        stop = limit
        if limit < len(samples) and splits[limit] == splits[start]:
            half = start + (limit - start + 1) // 2
            stop = min(
                range(max(half, start + 1), limit + 1),
                key=lambda cut: (sequences[cut] == sequences[cut - 1], _hash(splits[cut], samples[cut])),
            )
        spans.append(ShardSpan(_name_shard(splits[start], samples[start]), splits[start], start, stop))
        start = stop
    return spans


def _find_limit(splits: list[str], frame_bytes: Sequence[int], start: int, max_frames: int, max_bytes: int) -> int:
    """The furthest cut that keeps split, frames and bytes within bounds."""
    total = frame_bytes[start]
    stop = start + 1
    while stop < len(splits) and stop - start < max_frames and splits[stop] == splits[start]:
        total += frame_bytes[stop]
        if total > max_bytes:
            break
        stop += 1
    return stop


def _name_shard(split: str, first_sample_id: str) -> str:
    """Sorts as the index does for a person's eye; the hash keeps names apart."""
    readable = re.sub(r"[^A-Za-z0-9]+", "_", first_sample_id).strip("_")[:60]
    return f"{readable}-{_hash(split, first_sample_id)[:8]}"


def _hash(split: str, sample_id: str) -> str:
    return hashlib.sha256(f"{split}\0{sample_id}".encode("utf-8", "surrogatepass")).hexdigest()
