"""A shard to convert: its frames, and what is known about them beforehand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sflow_pipeline.conversion.rig_colors import Samples
from sflow_pipeline.conversion.source_index import SourceFrame


@dataclass(frozen=True)
class SetAside:
    """Why a frame is left out without being read: reason, message and hint of its quarantine row."""

    reason: str
    message: str
    hint: str


@dataclass(frozen=True)
class ShardTask:
    """One shard to convert.

    Attributes:
        shard_id, split, fingerprint: as in its record.
        frames: in order.
        set_aside: sample id -> why this frame is left out: it ended its worker process, or its label stands out.
        samples: rig -> the frames on which its colours are measured.
    """

    shard_id: str
    split: str
    fingerprint: str
    frames: Sequence[SourceFrame]
    set_aside: Mapping[str, SetAside] = field(default_factory=dict)
    samples: Samples = field(default_factory=dict)

    @property
    def killers(self) -> frozenset[str]:
        """Sample ids of frames that ended their worker process."""
        return frozenset(name for name, why in self.set_aside.items() if why.reason == "killed_worker")
