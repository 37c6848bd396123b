"""The losses of a training run as one SVG picture, a small panel per term."""

import csv
from pathlib import Path
from xml.sax.saxutils import escape

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.storage.write_whole import write_whole

_PANEL_W, _PANEL_H, _MARGIN, _COLUMNS = 300, 150, 38, 3
_SMOOTHING = 0.9


def write_training_curves(losses: Path, path: Path) -> Path:
    """Write what ``draw_training_curves`` draws as a file."""
    write_whole(path, draw_training_curves(losses).encode())
    return path


def draw_training_curves(losses: Path) -> str:
    """Draw ``losses.csv`` (images_seen, then one column per term) as SVG: raw in grey, an exponential mean over it.

    Raises:
        OSError: there is no such file.
        TrainingError: the file has no rows yet, or is not a loss log.
    """
    rows = list(csv.DictReader(losses.read_text(encoding="utf-8").splitlines()))
    if not rows or "images_seen" not in rows[0]:
        raise TrainingError(f"{losses}: no losses in it", hint="train for at least 100 images first")
    terms = [name for name in rows[0] if name != "images_seen"]
    panels = []
    for i, name in enumerate(terms):
        # A term that is computed every so often leaves blanks.
        points = [(float(row["images_seen"]), float(row[name])) for row in rows if row[name]]
        panels.append(_draw_panel(i, name, [x for x, _ in points], [y for _, y in points]))
    width = _COLUMNS * _PANEL_W
    height = -(-len(terms) // _COLUMNS) * _PANEL_H
    view = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {view}>'
    background = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join((head, background, *panels, "</svg>\n"))


def _draw_panel(number: int, name: str, images: list[float], values: list[float]) -> str:
    left = number % _COLUMNS * _PANEL_W + _MARGIN
    top = number // _COLUMNS * _PANEL_H + 22
    width, height = _PANEL_W - _MARGIN - 14, _PANEL_H - 46
    low, high = min(values, default=0.0), max(values, default=0.0)
    span = (high - low) or 1.0
    last = images[-1] if images else 1.0

    def place(points: list[float]) -> str:
        return " ".join(
            f"{left + width * x / last:.1f},{top + height * (1 - (y - low) / span):.1f}"
            for x, y in zip(images, points, strict=True)
        )

    smooth = values[:1]
    for value in values[1:]:
        smooth.append(_SMOOTHING * smooth[-1] + (1 - _SMOOTHING) * value)
    return "\n".join(
        (
            f'<text x="{left}" y="{top - 7}" font-weight="bold">{escape(name.replace("_", " "))}</text>',
            f'<path d="M{left} {top}V{top + height}H{left + width}" fill="none" stroke="#999"/>',
            f'<text x="{left - 4}" y="{top + 8}" text-anchor="end" fill="#666">{high:.2f}</text>',
            f'<text x="{left - 4}" y="{top + height}" text-anchor="end" fill="#666">{low:.2f}</text>',
            f'<text x="{left + width}" y="{top + height + 14}" text-anchor="end" fill="#666">{last:,.0f} images</text>',
            f'<polyline points="{place(values)}" fill="none" stroke="#ccc"/>',
            f'<polyline points="{place(smooth)}" fill="none" stroke="#1f6feb" stroke-width="1.6"/>',
        )
    )
