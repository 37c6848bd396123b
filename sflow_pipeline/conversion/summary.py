"""Job summary, for people and programs."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class QuarantinedFrame:
    """A frame that was left out, with the reason."""

    sample_id: str
    reason: str
    message: str


@dataclass(frozen=True)
class Summary:
    """The end of a conversion.

    Attributes:
        out_dir: the dataset.
        frames, rows: in the dataset as it is now; quarantined frames count as frames.
        frames_converted: by this run.
        shards_converted, shards_kept, shards_removed: what this run did.
        quarantined: frames of the dataset that were left out; ``examples``: the first of them.
        rejected: images that the gate did not accept.
        left_out: files of the dump that belong to no frame.
        reasons: reason -> frames or files.
        failed_shards: shards that could not be converted; the dataset is incomplete.
        label_is_resized: label files have another size than the source's.
        label_files: what they are to the simulator's labels, for people.
        edge_f1_mean: how well photos follow their edges, 0 to 1.
        workers, device, precision: who did it.
        smooth: how far images were blended with their neighbours, 0 to 1.
        duration_s: wall-clock.
        warnings: problems that did not stop the job.
    """

    out_dir: str
    frames: int
    rows: int
    frames_converted: int
    shards_converted: int
    shards_kept: int
    shards_removed: int
    quarantined: int
    rejected: int
    left_out: int
    reasons: dict[str, int]
    examples: tuple[QuarantinedFrame, ...]
    failed_shards: tuple[str, ...]
    label_is_resized: bool
    label_files: str
    edge_f1_mean: float | None
    workers: int
    device: str
    precision: str
    smooth: float
    duration_s: float
    warnings: tuple[str, ...]

    @property
    def status(self) -> Literal["clean", "incomplete", "quarantined"]:
        """``incomplete`` after failed shards; ``quarantined`` if frames or files were left out."""
        if self.failed_shards:
            return "incomplete"
        return "quarantined" if self.quarantined or self.rejected or self.left_out else "clean"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "status": self.status}
