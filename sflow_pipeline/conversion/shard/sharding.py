"""Content-defined shards: added or removed frames change only neighbouring shards.

A shard ends before the frame whose sample id has the smallest hash, among the frames that leave it between half full
and full; frames that start a sequence take precedence. After a local change, both divisions agree again from the next
frame that is the smallest in both.
"""

import hashlib
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from sflow_pipeline.frames import Column, find_runs, read_rows


@dataclass(frozen=True)
class ShardSpan:
    """Rows ``start`` to ``stop`` of an index, all of one split, under a stable name."""

    shard_id: str
    split: str
    start: int
    stop: int


def cut_shards(
    index: pa.Table, frame_bytes: ArrayLike, *, max_frames: int, max_bytes: int, whole_sequences: bool = False
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
    splits, sample_ids = index["split"], index["sample_id"]
    rows = index.num_rows
    starts_sequence = np.zeros(rows + 1, bool)
    starts_sequence[[run.start for run in find_runs(splits, index["sequence_id"])] + [rows]] = True
    bytes_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(frame_bytes, dtype=np.int64)])
    spans = []
    for part in find_runs(splits):
        split, start = str(splits[part.start]), part.start
        while start < part.stop:
            fitting = int(np.searchsorted(bytes_before, bytes_before[start] + max_bytes, "right")) - 1
            limit = min(max(fitting, start + 1), start + max_frames, part.stop)
            cuts = np.arange(start + 1, limit + 1)
            if whole_sequences:
                cuts = cuts[starts_sequence[cuts]]
            if not len(cuts):
                cuts = limit + 1 + np.flatnonzero(starts_sequence[limit + 1 :])[:1]
            stop = int(cuts[-1])
            if limit < part.stop:
                half = start + (limit - start + 1) // 2
                later = cuts[cuts >= half] if cuts[-1] >= half else cuts[-1:]
                later = later[starts_sequence[later]] if starts_sequence[later].any() else later
                stop = _choose_cut(split, later.tolist(), sample_ids)
            shard_id = _name_shard(split, str(sample_ids[start]))
            spans.append(ShardSpan(shard_id, split, start, stop))
            start = stop
    return spans


def _choose_cut(split: str, cuts: list[int], sample_ids: Column) -> int:
    """The cut before the sample id with the smallest hash."""
    if len(cuts) == 1:
        return cuts[0]
    names = read_rows(sample_ids, range(cuts[0], cuts[-1] + 1))
    return min(cuts, key=lambda cut: _hash(split, names[cut - cuts[0]]))


def _name_shard(split: str, first_sample_id: str) -> str:
    """A readable name in the order of the index; a hash makes it unique."""
    readable = re.sub(r"[^A-Za-z0-9]+", "_", first_sample_id).strip("_")[:60]
    return f"{readable}-{_hash(split, first_sample_id)[:8]}"


def _hash(split: str, sample_id: str) -> str:
    return hashlib.sha256(f"{split}\0{sample_id}".encode("utf-8", "surrogatepass")).hexdigest()
