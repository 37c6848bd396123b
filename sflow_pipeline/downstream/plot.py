"""A comparison as an SVG: one panel per test, one bar per arm, a point per seed, baseline and goal as lines."""

from html import escape

from sflow_pipeline.downstream.results import ArmResult, Comparison
from sflow_pipeline.downstream.tables import format_score

_NAME_PX = 240
_BAR_PX = 420
_VALUE_PX = 200
_LINE_PX = 26
_HEAD_PX = 34


def draw_svg(comparison: Comparison) -> str:
    """The main measure as bars from 0; the same results give the same text."""
    panels, top = [], 10
    for test in comparison.tests:
        arms = [arm for arm in comparison.arms if test in arm.tests]
        if arms:
            panels.append(_draw_panel(comparison, test, arms, top))
            top += _HEAD_PX + _LINE_PX * len(arms) + 14
    width = _NAME_PX + _BAR_PX + _VALUE_PX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" viewBox="0 0 {width} {top}" '
        'font-family="sans-serif" font-size="13">\n'
        f'<rect width="{width}" height="{top}" fill="#ffffff"/>\n' + "".join(panels) + "</svg>\n"
    )


def _draw_panel(comparison: Comparison, test: str, arms: list[ArmResult], top: int) -> str:
    highest = max(max(arm.tests[test].measures[comparison.measures.main].by_seed.values()) for arm in arms) or 1.0

    def place(value: float) -> float:
        return round(_NAME_PX + _BAR_PX * value / highest, 1)

    title = f"{comparison.measures.main_title} on {test}, {comparison.tests[test]['photos']} photos"
    parts = [f'<text x="10" y="{top + 20}" font-weight="bold">{escape(title)}</text>\n']
    first = top + _HEAD_PX
    for index, arm in enumerate(arms):
        score, y = arm.tests[test].measures[comparison.measures.main], first + index * _LINE_PX
        share = comparison.share_of_gap(arm, test)
        text = format_score(score) + ("" if share is None else f" ({share:.0%})")
        color = "#8d99ae" if arm.name in (comparison.baseline, comparison.goal) else "#2a6f97"
        parts.append(
            f'<text x="{_NAME_PX - 10}" y="{y + 14}" text-anchor="end">{escape(arm.name)}</text>\n'
            f'<rect x="{_NAME_PX}" y="{y + 2}" width="{round(place(score.mean or 0.0) - _NAME_PX, 1)}" height="16" '
            f'fill="{color}"/>\n'
            f'<text x="{_NAME_PX + _BAR_PX + 10}" y="{y + 14}">{escape(text)}</text>\n'
        )
        parts += [
            f'<circle cx="{place(value)}" cy="{y + 10}" r="3" fill="#d1495b"/>\n' for value in score.by_seed.values()
        ]
    bottom = first + len(arms) * _LINE_PX - 4
    for name in (comparison.baseline, comparison.goal):
        line = next((arm.tests[test].measures[comparison.measures.main].mean for arm in arms if arm.name == name), None)
        if line is not None:
            parts.append(f'<path d="M{place(line)} {first - 4}V{bottom}" stroke="#2f2f2f" stroke-dasharray="4 3"/>\n')
    return "".join(parts)
