"""Controls of a report: filters, sorting, and the viewer that opens a frame at full size."""

from collections.abc import Iterable
from html import escape

from sflow_pipeline.report.frame_cards import Gallery
from sflow_pipeline.report.score_index import ScoreIndex

_KEYS = (
    ("← →", "previous, next frame"),
    ("↑ ↓", "previous, next variant"),
    ("1 2 3 4", "rendered, converted, label, all with sliders"),
    ("V", "variants side by side"),
    ("Z", "actual size"),
    ("Esc", "close"),
)


def draw_filters(gallery: Gallery, index: ScoreIndex) -> str:
    """Selections by split, sequence, class and named fault, and the order of the cards."""
    facts = gallery.facts
    controls = [
        _draw_select("split", "split", sorted({item["split"] for item in facts})),
        _draw_select("sequence", "sequence", sorted({item["sequence"] for item in facts})),
        _draw_select("class", "with class", sorted({name for item in facts for name in item["classes"]})),
    ]
    for name in index.texts:
        values = {value for item in facts for value in item["texts"][name]}
        if values:
            controls.append(_draw_select(f"text:{name}", name, sorted(values)))
    orders = [("", "dataset")]
    for name in index.scores:
        orders += [(f"+{name}", f"{name}, lowest first"), (f"-{name}", f"{name}, highest first")]
    options = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in orders)
    controls.append(f'<label>order <select id="order">{options}</select></label>')
    controls.append('<label>frame id <input id="search" type="search"></label>')
    count = '<output id="count" aria-live="polite"></output>'
    return f'<form id="filters" class="filters" hidden>{"".join(controls)}{count}</form>'


def draw_viewer() -> str:
    """The dialog of one frame, which the page's script fills."""
    keys = "".join(f"<div><dt>{keys}</dt><dd>{text}</dd></div>" for keys, text in _KEYS)
    buttons = "".join(
        f'<button type="button" id="{name}">{text}</button>'
        for name, text in (
            ("only-render", "Rendered"),
            ("only-image", "Converted"),
            ("only-label", "Label"),
            ("all-views", "Sliders"),
            ("side-by-side", "Variants"),
            ("actual-size", "Actual size"),
        )
    )
    return (
        '<dialog id="viewer" aria-labelledby="viewer-title"><header><h2 id="viewer-title"></h2>'
        '<span id="viewer-place" class="lead"></span><span class="moves">'
        '<button type="button" id="previous" aria-label="previous frame">←</button>'
        '<button type="button" id="next" aria-label="next frame">→</button>'
        '<button type="button" id="close" aria-label="close">×</button></span></header>'
        '<div id="frame" tabindex="0" aria-label="pictures of the frame"></div>'
        '<div class="sliders"><label><span>rendered | converted</span> <input id="left" type="range" min="0" max="100">'
        '</label><label><span>converted | label</span> <input id="right" type="range" min="0" max="100"></label></div>'
        f'<div class="buttons">{buttons}</div><p id="viewer-note" class="lead"></p><dl id="viewer-scores"></dl>'
        f'<ul id="viewer-classes"></ul><details><summary>Keys</summary><dl class="keys">{keys}</dl></details></dialog>'
    )


def _draw_select(name: str, text: str, values: Iterable[str]) -> str:
    options = "".join(f'<option value="{escape(value)}">{escape(value)}</option>' for value in values)
    return (
        f'<label>{escape(text)} <select data-filter="{escape(name)}"><option value="">all</option>{options}'
        "</select></label>"
    )
