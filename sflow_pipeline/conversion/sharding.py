"""Content-defined shards: added or removed frames change only neighbouring shards.

A shard ends before the frame whose sample id has the smallest hash, among the frames that leave it between half full
and full; frames that start a sequence take precedence. After a local change, both divisions agree again from the next
frame that is the smallest in both.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class ShardSpan:
    """Rows ``start`` to ``stop`` of an index, all of one split, under a stable name."""

    shard_id: str
    split: str
    start: int
    stop: int


def cut_shards(
    index: pa.Table, frame_bytes: Sequence[int], *, max_frames: int, max_bytes: int, whole_sequences: bool = False
) -> list[ShardSpan]:
    """Divide an index into shards.

    Args:
        index: sorted by split, sequence, frame index.
        frame_bytes: estimated size of each frame; a single frame may exceed ``max_bytes``.
        max_frames: most frames in a shard.
        max_bytes: most bytes in a shard.
        whole_sequences: cut only where a sequence starts; a longer one exceeds both limits.

    >>> index = pa.table({"split": ["a"] * 9, "sequence_id": ["s"] * 5 + ["t"] * 4,
    ...                   "sample_id": [f"s/{i}" for i in range(5)] + [f"t/{i}" for i in range(4)]})
    >>> [(span.start, span.stop) for span in cut_shards(index, [1] * 9, max_frames=6, max_bytes=99)]
    [(0, 5), (5, 9)]
    >>> cut = cut_shards(index, [1] * 9, max_frames=2, max_bytes=99, whole_sequences=True)
    >>> [(span.start, span.stop) for span in cut]
    [(0, 5), (5, 9)]
    """
    columns: list[list[Any]] = [index[name].to_pylist() for name in ("split", "sequence_id", "sample_id")]
    splits, sequences, samples = columns

    def starts_sequence(cut: int) -> bool:
        is_end = cut == len(samples)
        return is_end or (splits[cut], sequences[cut]) != (splits[cut - 1], sequences[cut - 1])

    spans = []
    start = 0
    while start < len(samples):
        limit = _find_limit(splits, frame_bytes, start, max_frames, max_bytes)
        cuts = [cut for cut in range(start + 1, limit + 1) if not whole_sequences or starts_sequence(cut)]
        if not cuts:
            cuts = [next(cut for cut in range(limit + 1, len(samples) + 1) if starts_sequence(cut))]
        stop = cuts[-1]
        if limit < len(samples) and splits[limit] == splits[start]:
            half = start + (limit - start + 1) // 2
            stop = min(
                [cut for cut in cuts if cut >= half] or cuts[-1:],
                key=lambda cut: (not starts_sequence(cut), _hash(splits[start], "".join(samples[cut : cut + 1]))),
            )
        spans.append(ShardSpan(_name_shard(splits[start], samples[start]), splits[start], start, stop))
        start = stop
    return spans


def _find_limit(splits: list[str], frame_bytes: Sequence[int], start: int, max_frames: int, max_bytes: int) -> int:
    """The largest ``stop`` of a shard within one split, ``max_frames`` and ``max_bytes``."""
    total = frame_bytes[start]
    stop = start + 1
    while stop < len(splits) and stop - start < max_frames and splits[stop] == splits[start]:
        total += frame_bytes[stop]
        if total > max_bytes:
            break
        stop += 1
    return stop


def _name_shard(split: str, first_sample_id: str) -> str:
    """A readable name in the order of the index; a hash makes it unique."""
    readable = re.sub(r"[^A-Za-z0-9]+", "_", first_sample_id).strip("_")[:60]
    return f"{readable}-{_hash(split, first_sample_id)[:8]}"


def _hash(split: str, sample_id: str) -> str:
    return hashlib.sha256(f"{split}\0{sample_id}".encode("utf-8", "surrogatepass")).hexdigest()
