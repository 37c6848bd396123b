"""Neighbours of a shard: the frames of its sequences before and after it, on which smoothed images depend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from sflow_pipeline.conversion.source.source_index import SourceFrame, SourceFrames
from sflow_pipeline.frames import find_runs, read_rows
from sflow_pipeline.simulators.frame_table import find_usual_step

#: One for all shards, of which there may be many.
_NO_STEPS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Frames that are painted with a shard and written by others.

    Attributes:
        before, after: in order; of the sequences with which the shard begins and ends.
        steps: sequence id -> the usual difference of its frame numbers, None for a sequence of one frame.
    """

    before: Sequence[SourceFrame] = ()
    after: Sequence[SourceFrame] = ()
    steps: Mapping[str, int | None] = field(default_factory=lambda: _NO_STEPS)


NO_NEIGHBOURS = Neighbours()


class NeighbourFinder:
    """Finds the neighbours of shards in the index of a dump.

    Args:
        index: see ``build_index``.
        reach: frames on each side.
    """

    def __init__(self, index: pa.Table, reach: int) -> None:
        self._index = index
        self._reach = reach
        self._runs = find_runs(index["split"], index["sequence_id"])
        self._next = 0
        self._steps: dict[str, int | None] = {}
        #: Sequence id -> its parts, one for each split.
        self._parts: dict[str, list[range]] = {}
        for run in self._runs:
            self._parts.setdefault(self._name(run), []).append(run)

    def find(self, start: int, stop: int) -> Neighbours:
        """The neighbours of rows ``start`` to ``stop``; to be asked in the order of the index."""
        while self._runs[self._next].stop <= start:
            self._next += 1
        steps = {}
        first = last = self._runs[self._next]
        for number in range(self._next, len(self._runs)):
            run = self._runs[number]
            if run.start >= stop:
                break
            steps[self._name(run)] = self._find_step(run)
            last = run
        return Neighbours(
            SourceFrames(self._index, max(first.start, start - self._reach), start),
            SourceFrames(self._index, stop, min(last.stop, stop + self._reach)),
            steps,
        )

    def _find_step(self, run: range) -> int | None:
        """The sequence's step over all splits: neighbours within one of them may have others in between."""
        name = self._name(run)
        if name not in self._steps:  # a long sequence is asked for by each of its shards
            self._steps.clear()
            numbers = {n for part in self._parts[name] for n in read_rows(self._index["frame_index"], part)}
            self._steps[name] = find_usual_step(sorted(numbers))
        return self._steps[name]

    def _name(self, run: range) -> str:
        return str(self._index["sequence_id"][run.start])
