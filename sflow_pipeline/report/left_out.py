"""Frames and files that a conversion left out: counts by reason, and examples with pictures where they can be read."""

from collections import Counter
from collections.abc import Iterator
from html import escape
from itertools import islice
from typing import Any

import pyarrow as pa

from sflow_pipeline.dataset.contents import Contents
from sflow_pipeline.errors import SflowError
from sflow_pipeline.report.frame_pictures import embed_label, embed_photo, list_colors, shrink
from sflow_pipeline.report.page_budget import PageBudget
from sflow_pipeline.report.page_parts import build_table, clip
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_codec import decode_rgb
from sflow_pipeline.storage.shard_file import read_shard

_EXAMPLES = 3
_MOST_REASONS = 8
_WIDTH_PX = 240


def draw_left_out(contents: Contents, budget: PageBudget) -> str:
    """Counts by reason, then a few examples of each reason; empty where nothing was left out."""
    manifest = contents.manifest
    frames: Counter[str] = Counter()
    for shard in manifest.shards:
        frames.update(shard.reasons)
    files = manifest.left_out.reasons if manifest.left_out else {}
    rows = [
        *((clip(reason), "frames", count) for reason, count in sorted(frames.items())),
        *([("rejected by the gate", "images", manifest.counts.rejected)] if manifest.counts.rejected else []),
        *((clip(reason), "files of no frame", count) for reason, count in sorted(files.items())),
    ]
    if not rows:
        return ""
    examples = "".join(_draw_example(contents, row, budget) for row in _list_examples(contents))
    return (
        f'<section><h2 class="warn">Left out</h2>{build_table(("reason", "of", "count"), rows)}'
        f"<p>The first {_EXAMPLES} of each reason; all messages and paths: <code>quarantine/</code></p>"
        f"{examples}</section>"
    )


def _list_examples(contents: Contents) -> Iterator[dict[str, Any]]:
    """The first quarantine rows of each reason."""
    left_out = contents.manifest.left_out
    paths = [shard.quarantine_path for shard in contents.manifest.shards] + [left_out.path if left_out else None]
    seen: Counter[str] = Counter()
    for path in paths:
        if path is None:
            continue
        try:
            chosen = set()
            for number, row in enumerate(read_shard(contents.folder, path, ("reason",))):
                seen[row["reason"]] += 1
                if seen[row["reason"]] <= _EXAMPLES and len(seen) <= _MOST_REASONS:
                    chosen.add(number)
            rows = islice(enumerate(read_shard(contents.folder, path)), max(chosen, default=-1) + 1)
            yield from (row for number, row in rows if number in chosen)
        except (OSError, KeyError, ValueError, pa.ArrowException, SflowError):
            continue  # verify says which list is damaged


def _draw_example(contents: Contents, row: dict[str, Any], budget: PageBudget) -> str:
    source = Folder(contents.manifest.source.root)
    pictures = [
        ("rendered", _read_render(source, row)),
        ("converted", _read_image(row)),
        ("label", _read_label(contents, source, row)),
    ]
    shown = [
        f'<figure><img loading="lazy" alt="{name}" src="{address}"><figcaption>{name}</figcaption></figure>'
        for name, address in pictures
        if address and budget.take(address)
    ]
    name = clip(row.get("sample_id") or row["source_uri"])
    hint = f' <span class="lead">{escape(clip(row["hint"]))}</span>' if row.get("hint") else ""
    return (
        f'<div class="example"><h3>{escape(name)} <span class="tag">{escape(clip(row["reason"]))}</span></h3>'
        f"<p>{escape(clip(row['message'], 400))}{hint}</p>"
        f'<div class="strip">{"".join(shown)}</div></div>'
    )


def _read_render(source: Folder, row: dict[str, Any]) -> str:
    """The simulator's picture; empty in a dump without pictures, whose rows were made from their labels."""
    if row["source_uri"] == row.get("label_uri"):
        return ""
    try:
        picture = decode_rgb(source.read_bytes(row["source_uri"]))
    except (OSError, ValueError, SflowError):
        return ""
    return embed_photo(shrink(picture, _WIDTH_PX))


def _read_image(row: dict[str, Any]) -> str:
    """The image that the gate refused; empty for other rows."""
    stored = row.get("image")
    try:
        return embed_photo(shrink(decode_rgb(stored["bytes"]), _WIDTH_PX)) if stored else ""
    except SflowError:
        return ""


def _read_label(contents: Contents, source: Folder, row: dict[str, Any]) -> str:
    if not row.get("label_uri"):
        return ""
    stored = row.get("label")
    try:
        data = stored["bytes"] if stored else source.read_bytes(row["label_uri"])
        label_map = contents.label_format.read(data, None, "label").label_map
    except (OSError, ValueError, SflowError):
        return ""
    return embed_label(shrink(list_colors(contents.label_space)[label_map], _WIDTH_PX, is_label=True))
