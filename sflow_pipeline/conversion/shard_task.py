"""A shard to convert: its frames, and what is known about them beforehand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from sflow_pipeline.conversion.motion.shard_neighbours import NO_NEIGHBOURS, Neighbours
from sflow_pipeline.conversion.source.source_index import SourceFrame

#: Rig -> the frames that are measured for it.
Samples = Mapping[str, tuple[SourceFrame, ...]]
#: One for all shards, of which there may be many.
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class SetAside:
    """Why a frame is left out without being read: reason, message and hint of its quarantine row."""

    reason: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard to convert.

    Attributes:
        shard_id, split, fingerprint: as in its record.
        frames: in order.
        set_aside: sample id -> why this frame, or a neighbour, is left out: it ended its worker process, or its label
            stands out.
        samples: rig -> the frames on which its colours are measured.
        estimated_bytes: that it will take, about.
        neighbours: frames of other shards that are painted with it; none where images are independent.
    """

    shard_id: str
    split: str
    fingerprint: str
    frames: Sequence[SourceFrame]
    set_aside: Mapping[str, SetAside] = field(default_factory=lambda: _NOTHING)
    samples: Samples = field(default_factory=lambda: _NOTHING)
    estimated_bytes: int = 0
    neighbours: Neighbours = NO_NEIGHBOURS

    @property
    def read_frames(self) -> Iterator[SourceFrame]:
        """All frames that are read, in order: those before it, its own, those after it."""
        return chain(self.neighbours.before, self.frames, self.neighbours.after)

    @property
    def killers(self) -> frozenset[str]:
        """Sample ids of frames that ended their worker process."""
        return frozenset(name for name, why in self.set_aside.items() if why.reason == "killed_worker")
