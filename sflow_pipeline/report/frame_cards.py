"""The gallery of a report: one card per frame with its pictures and scores, and full-size pictures for the viewer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from sflow_pipeline.dataset.contents import Contents
from sflow_pipeline.errors import SflowError
from sflow_pipeline.report.frame_choice import FAILED_CHECKS, ChosenFrame
from sflow_pipeline.report.frame_pictures import FramePictures, PictureReader, embed_label, embed_photo, shrink
from sflow_pipeline.report.page_budget import PageBudget
from sflow_pipeline.report.page_parts import build_json_block, clip
from sflow_pipeline.report.score_index import ScoreIndex, list_words

_THUMBNAIL_PX = 480
_SMALL_THUMBNAIL_PX = 240
_LARGEST_PX = 1920
#: More variants of a frame are not shown.
MOST_VARIANTS = 6
#: Share of the page for cards; the rest is for full-size pictures.
_CARDS_SHARE = 0.5


@dataclass
class Gallery:
    """Cards, and what the page's script needs.

    Attributes:
        cards: HTML of each card.
        facts: of each card, for filters, sorting and the viewer.
        full_size: JSON blocks with full-size pictures, by card.
        left_out: cards that did not fit into the page.
        problems: messages about frames whose pictures cannot be read.
    """

    cards: list[str] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    full_size: dict[int, str] = field(default_factory=dict)
    left_out: int = 0
    problems: list[str] = field(default_factory=list)


def build_gallery(contents: Contents, index: ScoreIndex, chosen: Sequence[ChosenFrame], budget: PageBudget) -> Gallery:
    """Cards of the chosen frames, and full-size pictures of as many of them as fit, the worst first.

    Args:
        contents: the dataset.
        index: its scores.
        chosen: frames in the order of the page.
        budget: of the page.
    """
    reader = PictureReader(contents)
    gallery = Gallery()
    cards_budget = PageBudget(int(budget.left_bytes * _CARDS_SHARE))
    names = {item.id: clip(item.name) for item in contents.label_space.classes}
    places: list[tuple[int, ChosenFrame]] = []
    for item in chosen:
        rows = item.frame.rows[:MOST_VARIANTS]
        try:
            pictures = reader.read_frame(rows)
        except SflowError as error:
            gallery.problems.append(error.message)
            continue
        number = len(gallery.cards)
        card = _draw_card(number, item, pictures, index)
        facts = _describe(item, pictures, index, names)
        needed = card + 2 * json.dumps(facts)  # as data and, in part, as options of the filters
        if not cards_budget.take(needed):
            gallery.left_out = len(chosen) - number - len(gallery.problems)
            break
        budget.take(needed)
        gallery.cards.append(card)
        gallery.facts.append(facts)
        places.append((number, item))
    for number, item in sorted(places, key=lambda place: not place[1].reason):
        block = _embed_full_size(number, reader.read_frame(item.frame.rows[:MOST_VARIANTS]))
        if not budget.take(block):
            break
        gallery.full_size[number] = block
    return gallery


def _describe(item: ChosenFrame, pictures: FramePictures, index: ScoreIndex, names: dict[int, str]) -> dict[str, Any]:
    """Facts of a card, JSON-like."""
    frame = item.frame
    rows = frame.rows[:MOST_VARIANTS]
    return {
        "id": clip(frame.sample_id),
        "sequence": clip(frame.sequence_id),
        "split": clip(frame.split),
        "classes": [names.get(class_id, f"id {class_id}") for class_id in pictures.classes],
        "worst": {name: index.worst(name, rows) for name in index.scores},
        "texts": {name: list_words(values[row] for row in rows) for name, values in index.texts.items()},
        "captions": [_list_scores(index, row) for row in rows],
        "variants": list(pictures.variants),
    }


def _list_scores(index: ScoreIndex, row: int) -> list[tuple[str, str, bool]]:
    """(score column, value, whether it names a fault) of one row; scores without a value are left out."""
    numbers = [(name, f"{values[row]:.3f}", False) for name, values in index.scores.items()]
    words = [
        (name, clip(", ".join(word.strip() for word in values[row].split(","))), name == FAILED_CHECKS)
        for name, values in index.texts.items()
        if values[row]
    ]
    return [*(item for item in numbers if item[1] != "nan"), *words]


def _draw_card(number: int, item: ChosenFrame, pictures: FramePictures, index: ScoreIndex) -> str:
    frame = item.frame
    views = []
    width_px = _THUMBNAIL_PX if len(pictures.images) == 1 else _SMALL_THUMBNAIL_PX
    for place, (row, image) in enumerate(zip(frame.rows[:MOST_VARIANTS], pictures.images, strict=True)):
        number_of_it = pictures.variants[place]
        caption = f"converted, variant {number_of_it}" if len(frame.rows) > 1 or number_of_it else "converted"
        views.append(
            _draw_view(f"image{place}", caption, embed_photo(shrink(image, width_px)), _list_scores(index, row))
        )
    if pictures.render is not None:
        views.append(_draw_view("render", "rendered", embed_photo(shrink(pictures.render, _SMALL_THUMBNAIL_PX))))
    views.append(_draw_view("label", "label", embed_label(shrink(pictures.label, _SMALL_THUMBNAIL_PX, is_label=True))))
    reason = f' <span class="tag">{escape(item.reason)}</span>' if item.reason else ""
    more = len(frame.rows) - len(pictures.images)
    note = f" · {more} more variants are not shown" if more > 0 else ""
    size = " one" if len(pictures.images) == 1 else ""
    return (
        f'<article class="card{size}" id="frame-{number}" data-card="{number}"><h3>{escape(clip(frame.sample_id))}</h3>'
        f'<p class="lead">{escape(clip(frame.sequence_id))} · {escape(clip(frame.split))}{note}{reason}</p>'
        f'<div class="views">{"".join(views)}</div></article>'
    )


def _draw_view(view: str, caption: str, address: str, scores: Sequence[tuple[str, str, bool]] = ()) -> str:
    lines = "".join(
        f'<div class="{"warn" if is_fault else "score"}"><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>'
        for name, value, is_fault in scores
    )
    listed = f"<dl>{lines}</dl>" if lines else ""
    return (
        f'<figure class="{view}"><button type="button" data-view="{view}" aria-label="enlarge: {escape(caption)}">'
        f'<img alt="{escape(caption)}" loading="lazy" decoding="async" src="{address}"></button>'
        f"<figcaption>{escape(caption)}{listed}</figcaption></figure>"
    )


def _embed_full_size(number: int, pictures: FramePictures) -> str:
    """Full-size pictures of a card as a JSON block, which a browser decodes when the card is opened."""
    full = {f"image{variant}": embed_photo(shrink(image, _LARGEST_PX)) for variant, image in enumerate(pictures.images)}
    if pictures.render is not None:
        full["render"] = embed_photo(shrink(pictures.render, _LARGEST_PX))
    full["label"] = embed_label(shrink(pictures.label, _LARGEST_PX, is_label=True))
    return build_json_block(f"full-{number}", full)
