"""The manifest: written and read as typed values; damage of any kind is one message, never a traceback."""

import json
from typing import Any

import pytest

from sflow_pipeline.errors import OutputError
from sflow_pipeline.storage.commits import ShardRecord
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.manifest import (
    BundleNote,
    LeftOut,
    Manifest,
    Source,
    SpaceNote,
    load_manifest,
    write_manifest,
)
from sflow_pipeline.storage.shard_counts import count_shards, count_splits

SHARDS = (
    ShardRecord("a", "train", "f", "data/train/a.parquet", "0", 10, rows=2, frames=3, reasons={"truncated": 1}),
    ShardRecord("b", "val", "f", None, None, 0, rows=0, frames=1, reasons={"no_instance": 1}),
)


def make_manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "tool_version": "0.1.0",
        "job": {"variants": 2, "size": [48, 32]},
        "variants": 2,
        "seed": 5,
        "source": Source("/sim", "folder", "", "ids", "", "", "numbered", "named so", 10.0, {"units": {"depth": "m"}}),
        "bundle": BundleNote("sflow", "0.7.0", "d"),
        "label_space": SpaceNote("camvid11", 1, "e"),
        "label_resized": False,
        "columns": ("sample_id", "image", "label"),
        "settings_fingerprint": "f",
        "edge_threshold": 0.3,
        "device": "cpu",
        "precision": "fp32",
        "warnings": ("depth has no unit",),
        "left_out": LeftOut("quarantine/left_out.parquet", "1", 2, {"no_label": 2}),
        "shards": SHARDS,
        "counts": count_shards(SHARDS),
        "splits": count_splits(SHARDS),
    }
    return Manifest(**{**fields, **changes})


@pytest.mark.parametrize("left_out", [None, LeftOut("q.parquet", "1", 2, {"no_label": 2})])
def test_round_trip(tmp_path, left_out):
    folder = Folder(str(tmp_path))
    manifest = make_manifest(left_out=left_out)
    write_manifest(folder, manifest)
    assert load_manifest(folder) == manifest
    written = json.loads((tmp_path / "manifest.json").read_text())
    assert written["counts"] == {"shards": 2, "frames": 4, "rows": 2, "quarantined": 2, "rejected": 0, "size_bytes": 10}
    assert written["splits"]["val"]["frames"] == 1


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("source",), "town", "source"),
        (("source", "fps"), "fast", "source.fps"),
        (("bundle", "digest"), None, "bundle.digest"),
        (("shards", 0, "rows"), "2", "shards.0.rows"),
        (("shards", 0), [], "shards.0"),
        (("columns",), "image", "columns"),
        (("variants",), 1.5, "variants"),
        (("left_out", "reasons"), ["no_label"], "left_out.reasons"),
        (("counts",), {}, "counts.shards"),
    ],
)
def test_damage_is_named_by_its_place(tmp_path, path, value, place):
    folder = Folder(str(tmp_path))
    write_manifest(folder, make_manifest())
    content = json.loads((tmp_path / "manifest.json").read_text())
    part = content
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(OutputError, match=f"manifest.json: damaged at {place}: ") as caught:
        load_manifest(folder)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"manifest"', "[" * 100_000, "\x00"])
def test_text_that_is_no_manifest(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(OutputError):
        load_manifest(Folder(str(tmp_path)))


def test_a_manifest_of_format_2_is_read(tmp_path):
    folder = Folder(str(tmp_path))
    write_manifest(folder, make_manifest())
    content = json.loads((tmp_path / "manifest.json").read_text())
    content.update(format_version=2, left_out={}, job={"variants": 3, "seed": 7})
    del content["variants"], content["seed"]
    content["source"] = {**content["source"], "simulator": "carla", "label_rule": None}
    del content["source"]["label_table_format"], content["source"]["instance_encoding"]
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    manifest = load_manifest(folder)
    assert (manifest.variants, manifest.seed, manifest.left_out) == (3, 7, None)
    assert (manifest.source.label_rule, manifest.source.instance_encoding) == ("", "class_in_red")


def test_file_names_that_are_no_text_can_be_read_back(tmp_path):
    folder = Folder(str(tmp_path))
    write_manifest(folder, make_manifest(warnings=("town\udcff.png is broken",)))
    assert load_manifest(folder).warnings == ("town?.png is broken",)


def test_shards_are_written_and_read_one_by_one(tmp_path):
    folder = Folder(str(tmp_path))
    write_manifest(folder, make_manifest())
    content = json.loads((tmp_path / "manifest.json").read_text())
    assert [shard["shard_id"] for shard in content["shards"]] == ["a", "b"]
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert (tmp_path / "manifest.json").read_text() == text
    assert load_manifest(folder, with_shards=False).shards == ()
    for damaged in (
        text.replace("    },\n    {", "    }\n    {"),
        text.replace("    }\n  ],", "    },\n  ],"),
        text[: text.index('"val"')],
        text.replace('"rows": 2', '"rows": "2"'),
    ):
        assert damaged != text
        (tmp_path / "manifest.json").write_text(damaged)
        for with_shards in (True, False):
            with pytest.raises(OutputError):
                load_manifest(folder, with_shards=with_shards)
