"""Frames of an index as canonical JSON, which fingerprints cover: written column by column, not frame by frame."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sflow_pipeline.columns import MODALITIES
from sflow_pipeline.conversion.source.source_index import SourceFrame, SourceFrames, read_frames
from sflow_pipeline.storage.canonical_json import encode_compact

#: A character that JSON escapes.
_ESCAPED = r"[^ !#-\[\]-~]"
#: Columns of text that every frame has, sorted as the keys of an object are.
_TEXTS = ("label", "render", "sample_id", "sequence_id", "split")


def encode_frames(frames: SourceFrames) -> str:
    """A JSON array with a pair for each frame: an object of what names it, and one of its files' identities.

    Place in the dump, files and their identities count; timestamps, which no row holds, do not.
    """
    index = frames.read_table()
    modalities = sorted(name for name in MODALITIES if name in index.column_names)
    texts = [index[name] for name in {*_TEXTS, *modalities} if name in index.column_names]
    if any(pc.any(pc.match_substring_regex(text, _ESCAPED), min_count=0).as_py() for text in texts):
        return encode_compact([describe_frame(frame) for frame in read_frames(index)])
    carried = {name: index[name] for name in modalities if name not in ("label", "render")}
    identities = {name: index[f"{name}_identity"] for name in modalities}
    pieces: list[Any] = ['[{"files":{', _encode_members(carried, index.num_rows), '},"frame_index":']
    pieces.append(index["frame_index"].cast(pa.string()))
    for name in _TEXTS:
        pieces += [f',"{name}":"' if name == _TEXTS[0] else f'","{name}":"']
        pieces += [index[name] if name in index.column_names else ""]  # a dump without pictures
    pieces += ['"},{', _encode_members(identities, index.num_rows), "}]"]
    rows: Any = pc.binary_join_element_wise(*pieces, "")
    return f"[{','.join(rows.to_pylist())}]"


def _encode_members(columns: dict[str, Any], rows: int) -> Any:
    """The members of an object for each row, without braces; those that are null are left out."""
    if not columns:
        return pa.chunked_array([pa.repeat(pa.scalar("", pa.string()), rows)])
    members = [pc.binary_join_element_wise(f',"{name}":"', column, '"', "") for name, column in columns.items()]
    joined: Any = pc.binary_join_element_wise(*(pc.fill_null(member, "") for member in members), "")
    return pc.utf8_slice_codeunits(joined, 1)


def describe_frame(frame: SourceFrame) -> tuple[dict[str, Any], dict[str, str]]:
    """What names a frame, and the identities of its files, JSON-like."""
    ref = frame.ref
    named = {name: getattr(ref, name) for name in ("frame_index", *_TEXTS)}
    return {**named, "files": dict(ref.files)}, frame.identities
