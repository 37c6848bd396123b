"""Results as an SVG: the model below the machine's roofline, and every stage's share of its ceiling."""

import math
from html import escape

from sflow_pipeline.bench.result import BenchResult, Row

_WIDTH, _PLOT_HEIGHT, _LEFT, _RIGHT, _TOP = 860, 320, 80, 20, 50
_BAR_PX, _LINE_PX, _NAME_PX = 420, 22, 330
_COLORS = ("#2a6f97", "#d1495b", "#66a182", "#edae49")


def draw_roofline(result: BenchResult) -> str:
    """Above: FLOP/s over FLOP per byte, both logarithmic; below: bars. The same results give the same text."""
    models = [row for row in result.rows if row.gflop and row.megabytes]
    bars = [row for row in result.rows if row.share is not None]
    height = _TOP + _PLOT_HEIGHT + 80 + _LINE_PX * len(bars)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13">\n'
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n'
        + _draw_plot(result, models)
        + _draw_bars(bars, _TOP + _PLOT_HEIGHT + 60)
        + "</svg>\n"
    )


def _draw_plot(result: BenchResult, models: list[Row]) -> str:
    memory = result.ceilings.memory_bytes_per_s / 1e9
    peaks = {name: rate / 1e9 for name, rate in result.ceilings.flop_per_s.items()}
    points = [(1e3 * (row.gflop or 0) / (row.megabytes or 1), 1e3 * (row.gflop or 0) / row.ms, row) for row in models]
    low_x, high_x = (
        0.1,
        10 ** math.ceil(math.log10(max([peak / memory for peak in peaks.values()] + [x for x, _, _ in points]) * 2)),
    )
    high_y = 10 ** math.ceil(math.log10(max(peaks.values()) * 1.2))
    low_y = min([memory * low_x] + [y for _, y, _ in points]) / 2

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log(x) - math.log(low_x)) / (math.log(high_x) - math.log(low_x))
        up = (math.log(y) - math.log(low_y)) / (math.log(high_y) - math.log(low_y))
        width = _WIDTH - _LEFT - _RIGHT
        return round(_LEFT + width * across, 1), round(_TOP + _PLOT_HEIGHT * (1 - up), 1)

    parts = [
        f'<text x="10" y="24" font-weight="bold">Model: GFLOP/s over FLOP per byte ({result.clock} time)</text>\n',
        f'<path d="M{_LEFT} {_TOP}V{_TOP + _PLOT_HEIGHT}H{_WIDTH - _RIGHT}" fill="none" stroke="#8d99ae"/>\n',
    ]
    for power in range(math.ceil(math.log10(low_x)), round(math.log10(high_x)) + 1):
        x, _ = place(10.0**power, low_y)
        parts.append(f'<text x="{x}" y="{_TOP + _PLOT_HEIGHT + 18}" text-anchor="middle">{10.0**power:g}</text>\n')
    for power in range(math.ceil(math.log10(low_y)), round(math.log10(high_y)) + 1):
        _, y = place(low_x, 10.0**power)
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{10.0**power:g}</text>\n')
    for index, (name, peak) in enumerate(peaks.items()):
        (x0, y0), (x1, y1), (x2, y2) = place(low_x, memory * low_x), place(peak / memory, peak), place(high_x, peak)
        color = _COLORS[index % len(_COLORS)]
        parts.append(f'<path d="M{x0} {y0}L{x1} {y1}L{x2} {y2}" fill="none" stroke="{color}" stroke-width="2"/>\n')
        parts.append(f'<text x="{x1}" y="{y1 - 6}" fill="{color}">{name} {peak:.0f} GFLOP/s</text>\n')
        for x, y, row in points:
            if row.precision == name:
                left, top = place(x, y)
                label = f"{row.size_px[0]}x{row.size_px[1]}" + (f" by {row.batch_size}" if row.batch_size > 1 else "")
                parts.append(f'<circle cx="{left}" cy="{top}" r="4" fill="{color}"><title>{label}</title></circle>\n')
    return "".join(parts)


def _draw_bars(rows: list[Row], top: int) -> str:
    parts = [f'<text x="10" y="{top - 8}" font-weight="bold">Share of the ceiling</text>\n']
    for index, row in enumerate(rows):
        y = top + index * _LINE_PX
        batch = f" by {row.batch_size}" if row.batch_size > 1 else ""
        name = f"{row.size_px[0]}x{row.size_px[1]}{batch} {row.precision}: {row.stage}"
        share = row.share or 0.0
        parts.append(
            f'<text x="{_NAME_PX - 10}" y="{y + 14}" text-anchor="end">{escape(name)}</text>\n'
            f'<rect x="{_NAME_PX}" y="{y + 2}" width="{round(_BAR_PX * min(share, 1.0), 1)}" height="16" '
            f'fill="#2a6f97"/>\n'
            f'<text x="{_NAME_PX + _BAR_PX + 10}" y="{y + 14}">{share:.0%}</text>\n'
        )
    return "".join(parts)
