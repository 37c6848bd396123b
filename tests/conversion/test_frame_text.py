"""Frames of an index as canonical JSON: what Python's `json` writes of the same frames, whatever their names hold."""

import json

import pyarrow as pa
import pytest

from sflow_pipeline.conversion.source.frame_text import encode_frames
from sflow_pipeline.conversion.source.source_index import SourceFrames


def build_rows(word: str, depth: list[str | None]) -> list[dict]:
    return [
        {
            "sample_id": f"{word}/{i}",
            "sequence_id": word,
            "frame_index": i - 1,
            "split": "train",
            "render": f"{word}/rgb/{i}.png",
            "label": f"{word}/semantic/{i}.png",
            "depth": path,
            "timestamp_s": 0.1 * i,
            "render_identity": f"{i}:17",
            "label_identity": "sha256:ab",
            "depth_identity": None if path is None else "-1:0",
        }
        for i, path in enumerate(depth)
    ]


def build_index(rows: list[dict]) -> pa.Table:
    kinds = {"frame_index": pa.int64(), "timestamp_s": pa.float64()}
    return pa.Table.from_pylist(rows, schema=pa.schema({name: kinds.get(name, pa.string()) for name in rows[0]}))


def expect(rows: list[dict]) -> str:
    described = []
    for row in rows:
        named = {name: row[name] for name in ("sample_id", "sequence_id", "frame_index", "split", "label")}
        named["render"] = row.get("render", "")
        files = {} if row.get("depth") is None else {"depth": row["depth"]}
        identities = {name: row[f"{name}_identity"] for name in ("render", "label", *files) if name in row}
        described.append([{**named, "files": files}, identities])
    return json.dumps(described, sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize("word", ["town01", "a b~!#[]", 'say "hi"', "back\\slash", "Straße", "tab\there", "\x7f", "😀"])
@pytest.mark.parametrize("depth", [["a/0.npy", "a/1.npy"], ["a/0.npy", None, None], [None, None]])
def test_it_is_what_json_writes(word, depth):
    rows = build_rows(word, depth)
    assert encode_frames(SourceFrames(build_index(rows))) == expect(rows)


def test_a_slice_and_an_index_without_further_files():
    rows = [{key: value for key, value in row.items() if "depth" not in key} for row in build_rows("t", [None] * 5)]
    index = pa.concat_tables([build_index(rows[:2]), build_index(rows[2:])])
    assert encode_frames(SourceFrames(index, 1, 4)) == expect(rows[1:4])


@pytest.mark.parametrize("word", ["town01", "Straße"])
def test_an_index_without_pictures(word):
    rows = [{key: value for key, value in row.items() if "render" not in key} for row in build_rows(word, ["a.npy"])]
    assert encode_frames(SourceFrames(build_index(rows))) == expect(rows)


def test_one_name_that_needs_escaping_among_plain_ones():
    rows = [*build_rows("plain", ["a.npy"]), *build_rows("plain", [None])]
    rows[0]["depth"] = 'quote".npy'
    assert encode_frames(SourceFrames(build_index(rows))) == expect(rows)
