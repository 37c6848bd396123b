"""Results: a row for every stage of every setting, the machine's ceilings, and what they were measured with."""

from dataclasses import asdict, dataclass, field
from typing import Any

from sflow_pipeline.bench.ceilings import Ceilings


@dataclass(frozen=True)
class Row:
    """One stage at one setting, per frame.

    Attributes:
        size_px, precision, batch_size: the setting.
        stage: ``decode``, ``model``, ``gate``, ``encode``, ``write``, ``pipeline``, or the generator compared with.
        ms: median over the rounds.
        ms_least, ms_most: of the rounds.
        share: of the ceiling, 0 to 1; None for stages that have none.
        ceiling: what bounds the stage, in words; empty likewise.
        gflop, megabytes: that the model computes, and reads and writes; None for other stages.
        bytes: of the file that the stage reads or writes; None for the others.
    """

    size_px: tuple[int, int]
    precision: str
    batch_size: int
    stage: str
    ms: float
    ms_least: float
    ms_most: float
    share: float | None = None
    ceiling: str = ""
    gflop: float | None = None
    megabytes: float | None = None
    bytes: int | None = None

    @property
    def frames_per_s(self) -> float:
        """Frames that the stage alone does in a second."""
        return 1000.0 / self.ms


@dataclass(frozen=True)
class BenchResult:
    """Everything that was measured.

    Attributes:
        rows: in order of size, precision, batch and stage.
        ceilings: of the machine.
        machine: facts that decide such numbers.
        clock: what the times are of, ``CPU`` or ``wall``.
    """

    rows: list[Row]
    ceilings: Ceilings
    machine: dict[str, Any] = field(default_factory=dict)
    clock: str = "CPU"

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        rows = [{**asdict(row), "frames_per_s": row.frames_per_s} for row in self.rows]
        return {"machine": self.machine, "clock": self.clock, "ceilings": asdict(self.ceilings), "rows": rows}
