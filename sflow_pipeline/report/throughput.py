"""How long conversions of a dataset took: a note of each run beside the report, and a table of them."""

import json
from dataclasses import asdict, dataclass
from html import escape

from pydantic import TypeAdapter

from sflow_pipeline.report.page_parts import build_table, clip
from sflow_pipeline.storage.canonical_json import encode_json
from sflow_pipeline.storage.filesystem import Folder

NOTE_PATH = "report/runs.json"
_KEPT = 50
_LARGEST_BYTES = 1_000_000


@dataclass(frozen=True)
class Run:
    """One conversion.

    Attributes:
        frames, shards: converted by it.
        seconds: wall-clock.
        workers, device, precision: who did it.
    """

    frames: int
    shards: int
    seconds: float
    workers: int
    device: str
    precision: str


def note_run(out_dir: str, run: Run) -> None:
    """Add a conversion to the note of a dataset.

    Raises:
        OutputError: the file cannot be written.
    """
    folder = Folder(out_dir)
    runs = [asdict(noted) for noted in (*_read_runs(folder), run)][-_KEPT:]
    folder.write_bytes(NOTE_PATH, encode_json({"runs": runs}))


def draw_throughput(folder: Folder) -> str:
    """Runs and their speed, the newest last; empty without a note."""
    rows = [
        (
            f"{run.frames:,}",
            f"{run.shards:,}",
            f"{run.seconds:,.1f}",
            f"{run.frames / max(run.seconds, 1e-9):,.2f}",
            f"{run.seconds / max(run.frames, 1) * 1000:,.0f}",
            f"{run.workers:,}",
            f"{clip(run.device)}, {clip(run.precision)}",
        )
        for run in _read_runs(folder)
    ]
    if not rows:
        return ""
    names = ("frames", "shards", "seconds", "frames/s", "ms per frame", "workers", "device")
    lead = "Wall-clock time of each run, start-up included; all variants of a frame count as one frame."
    table = build_table(names, rows)
    return f'<section><h2>Throughput</h2><p class="lead">{escape(lead)}</p><div class="scroll">{table}</div></section>'


def _read_runs(folder: Folder) -> list[Run]:
    """The runs of the note; none where it is missing or damaged."""
    try:
        if not 0 <= folder.stat([NOTE_PATH])[0].size_bytes <= _LARGEST_BYTES:
            return []
        return TypeAdapter(list[Run]).validate_python(json.loads(folder.read_bytes(NOTE_PATH))["runs"])[-_KEPT:]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
