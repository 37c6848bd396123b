"""Results as a table, for terminals and Markdown."""

from sflow_pipeline.bench.result import BenchResult, Row
from sflow_pipeline.markdown import draw_table

_HEAD = ("size", "precision", "batch", "stage", "ms a frame", "frames/s", "of its ceiling", "ceiling", "bytes a frame")


def render_table(result: BenchResult) -> str:
    """All rows as Markdown, then the ceilings and the machine."""
    ceilings = result.ceilings
    rates = [f"arithmetic {rate / 1e9:,.0f} GFLOP/s {name}" for name, rate in ceilings.flop_per_s.items()]
    rates += [
        f"memory {ceilings.memory_bytes_per_s / 1e9:.1f} GB/s",
        f"deflate {ceilings.deflate_bytes_per_s / 1e6:.0f} MB/s",
        f"disk {ceilings.disk_bytes_per_s / 1e6:.0f} MB/s",
    ]
    return (
        draw_table(_HEAD, [_describe(row) for row in result.rows])
        + f"\nTimes: {'processor time of one thread' if result.clock == 'CPU' else 'seconds on the wall'}"
        + ", medians; writing by the clock on the wall. Ceilings: "
        + ", ".join(rates)
        + ".\nMachine: "
        + ", ".join(f"{key} {value}" for key, value in result.machine.items())
        + "\n"
    )


def _describe(row: Row) -> tuple[str, ...]:
    return (
        f"{row.size_px[0]}x{row.size_px[1]}",
        row.precision,
        str(row.batch_size),
        row.stage,
        f"{row.ms:.3g}",
        f"{row.frames_per_s:.3g}",
        "" if row.share is None else f"{row.share:.2f}",
        row.ceiling,
        "" if row.bytes is None else str(row.bytes),
    )
