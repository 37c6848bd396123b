"""Shard files as pyarrow and `datasets` see them, and commit records that cannot lie."""

import json

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from sflow_pipeline.columns import OPTIONAL_COLUMNS
from sflow_pipeline.errors import OutputError, SflowError
from sflow_pipeline.schema import build_row_schema
from sflow_pipeline.storage.commits import ShardRecord, load_commits, write_commit
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_codec import encode_label, encode_rgb
from sflow_pipeline.storage.manifest import check_ours, load_manifest
from sflow_pipeline.storage.shard_file import ShardFileWriter, hash_stored_file, read_shard


def _row(index: int, size_bytes: int = 0) -> dict:
    picture = encode_rgb(np.full((4, 6, 3), index % 256, np.uint8)) + b"\0" * size_bytes
    return {
        "sample_id": f"s/{index}", "sequence_id": "s", "frame_index": index, "variant": 0, "split": "train",
        "image": {"bytes": picture, "path": f"{index}.png"},
        "label": {"bytes": encode_label(np.full((4, 6), 3, np.uint8)), "path": f"s/semantic/{index}.png"},
        "alpha": [0.2] * 5, "seed": 0, "bundle_digest": "b", "edge_f1": 0.5, "width_px": 6, "height_px": 4,
        "source_uri": f"s/rgb/{index}.png", "source_sha256": "r", "label_sha256": "l",
    }  # fmt: skip


def _publish(folder, rows, schema=None, format="parquet"):
    with ShardFileWriter(folder, "data/train/x", schema or build_row_schema(["edge"]), format) as writer:
        for row in rows:
            writer.add(row)
        return writer.publish()


@pytest.mark.parametrize("format", ["parquet", "png"])
def test_same_rows_same_bytes(tmp_path, format):
    first = _publish(Folder(str(tmp_path / "a")), [_row(i) for i in range(5)], format=format)
    second = _publish(Folder(str(tmp_path / "b")), [_row(i) for i in range(5)], format=format)
    assert first == second
    assert first.sha256 == hash_stored_file(Folder(str(tmp_path / "a")), first.path)
    assert first.sha256[:12] in first.path
    read = list(read_shard(Folder(str(tmp_path / "a")), first.path))
    assert [row["image"]["bytes"] for row in read] == [_row(i)["image"]["bytes"] for i in range(5)]


def test_row_groups_are_about_three_megabytes(tmp_path):
    published = _publish(Folder(str(tmp_path)), [_row(i, 500_000) for i in range(20)])
    metadata = pq.read_metadata(tmp_path / published.path)
    sizes = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
    assert metadata.num_row_groups == 3
    assert all(3_000_000 < size < 4_000_000 for size in sizes[:-1])


def test_datasets_decodes_every_picture_column(tmp_path):
    datasets = pytest.importorskip("datasets")
    depth = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2000
    row = {**_row(7), "depth": {"bytes": cv2.imencode(".png", depth)[1].tobytes(), "path": "d.png"}, "boxes": "[]"}
    schema = build_row_schema(OPTIONAL_COLUMNS, raw_columns=["flow"])
    published = _publish(Folder(str(tmp_path)), [{**row, "flow": {"bytes": b"\x01", "path": "f.npy"}}], schema)
    loaded = datasets.Dataset.from_parquet(str(tmp_path / published.path), cache_dir=str(tmp_path / "cache"))
    assert loaded.features["alpha"].length == 5
    assert loaded[0]["image"].getpixel((0, 0)) == (7, 7, 7)
    assert loaded[0]["label"].getpixel((0, 0)) == 3
    assert np.array(loaded[0]["depth"]).tolist() == depth.tolist()
    assert loaded[0]["flow"] == {"bytes": b"\x01", "path": "f.npy"}
    assert loaded[0]["instance"] is None


@pytest.mark.parametrize("format", ["parquet", "png"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normals": {"bytes": b"", "path": ""}}, "row s/0: column normals is not in the schema"),
        ({"bundle_digest": None}, "row s/0: column bundle_digest has no value"),
        ({"label": None, "image": None}, "row s/0: column image, label has no value"),
    ],
)
def test_rows_that_do_not_fit_the_schema_are_refused(tmp_path, format, change, message):
    with pytest.raises(SflowError) as caught:
        _publish(Folder(str(tmp_path)), [{**_row(0), **change}], format=format)
    assert caught.value.message == message
    assert not list((tmp_path / "data").rglob("*.parquet"))


def test_optional_columns_may_have_no_value(tmp_path):
    published = _publish(Folder(str(tmp_path)), [_row(0)], build_row_schema(["edge", "boxes"]))
    assert pq.read_table(tmp_path / published.path)["edge"].null_count == 1


def test_nothing_is_left_of_a_shard_that_failed(tmp_path):
    folder = Folder(str(tmp_path))
    with (  # noqa: PT012
        pytest.raises(RuntimeError),
        ShardFileWriter(folder, "data/train/x", build_row_schema([]), "parquet") as writer,
    ):
        writer.add(_row(0))
        raise RuntimeError
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def _record(**changes) -> ShardRecord:
    fields = {"shard_id": "s-1", "split": "train", "fingerprint": "f", "path": "data/train/x.parquet", "sha256": "0"}
    return ShardRecord(**{**fields, "size_bytes": 1, "rows": 2, "frames": 3, "reasons": {"truncated": 1}, **changes})


def test_commits_round_trip(tmp_path):
    folder = Folder(str(tmp_path))
    write_commit(folder, _record())
    assert load_commits(folder) == {"s-1": _record()}


@pytest.mark.parametrize("damage", [b"", b'{"shard_id": "s-1"', b"[]", b'{"shard_id": "s-1"}'])
def test_a_torn_commit_counts_as_none(tmp_path, damage):
    folder = Folder(str(tmp_path))
    write_commit(folder, _record())
    folder.write_bytes(_record().commit_path, damage)
    assert load_commits(folder) == {}


def test_newer_formats_are_refused(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"tool": "sflow-pipeline", "format_version": 999}))
    with pytest.raises(OutputError):
        check_ours(Folder(str(tmp_path)))


def test_an_unfinished_dataset_says_so(tmp_path):
    write_commit(Folder(str(tmp_path)), _record())
    with pytest.raises(OutputError) as caught:
        load_manifest(Folder(str(tmp_path)))
    assert "did not finish" in caught.value.message
