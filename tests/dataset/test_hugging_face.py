"""`load_dataset` of a dataset's folder: its own rows and no others', and columns of numbers untouched."""

import hashlib
import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import datasets
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import sflow_pipeline
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert

SIZE = (48, 32)


def encode_png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def write_frame(root: Path, name: str, label: bytes = b"", **files: bytes) -> None:
    render = np.random.default_rng(len(name)).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    label_map = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    label_map[:16] = 10
    contents = {"rgb": encode_png(render), "semantic": label or encode_png(label_map), **files}
    for folder, data in contents.items():
        suffix = ".png" if data.startswith(b"\x89PNG") else ".npy"
        path = root / folder / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "dataset.yaml").write_text("label_space: cityscapes19\n")


@pytest.fixture
def make(random_bundle: Path) -> Callable[..., Path]:
    def run(dump: Path, out: Path, **fields: object) -> Path:
        places = {"sim_dir": str(dump), "out_dir": str(out), "bundle": str(random_bundle)}
        convert(build_job({**places, "workers": 1, "precision": "fp32", **fields}))
        return out

    return run


def load(out: Path, cache: Path, split: str = "train") -> datasets.Dataset:
    return datasets.load_dataset(str(out), split=split, cache_dir=str(cache))


def test_two_datasets_of_one_folder_name_do_not_share_a_cache(make, tmp_path):
    for name, frames in (("a", ["0", "1"]), ("b", ["7", "8", "9"])):
        for frame in frames:
            write_frame(tmp_path / name / "sim" / "town", frame)
        make(tmp_path / name / "sim" / "town", tmp_path / name / "out")
    rows = {name: load(tmp_path / name / "out", tmp_path / "cache")["sample_id"] for name in ("a", "b")}
    assert {name: [sample.rpartition("/")[2] for sample in found] for name, found in rows.items()} == {
        "a": ["0", "1"],
        "b": ["7", "8", "9"],
    }


def test_a_dataset_that_grew_or_changed_is_loaded_as_it_is(make, tmp_path):
    dump, out, cache = tmp_path / "sim", tmp_path / "out", tmp_path / "cache"
    write_frame(dump, "0")
    write_frame(dump, "1")
    make(dump, out)
    assert len(load(out, cache)) == 2
    write_frame(dump, "2")
    make(dump, out)
    assert len(load(out, cache)) == 3
    changed = np.full((SIZE[1], SIZE[0]), 8, np.uint8)
    write_frame(dump, "1", label=encode_png(changed))
    make(dump, out, content_hash=True)
    labels = {row["sample_id"].rpartition("/")[2]: np.array(row["label"]) for row in load(out, cache)}
    np.testing.assert_array_equal(labels["1"], changed)


def test_a_tree_of_png_files_is_loaded_row_by_row(make, tmp_path):
    dump, out = tmp_path / "sim", tmp_path / "out"
    for frame in range(3):
        write_frame(dump, str(frame))
    make(dump, out, format="png")
    rows = load(out, tmp_path / "cache")
    assert [row["sample_id"].rpartition("/")[2] for row in rows] == ["0", "1", "2"]
    for row in rows:
        source = dump / "semantic" / f"{row['sample_id'].rpartition('/')[2]}.png"
        assert (out / row["label"]["path"]).read_bytes() == source.read_bytes()


def test_a_renamed_split_is_loaded_under_its_new_name_alone(make, tmp_path):
    dump, out, cache = tmp_path / "sim", tmp_path / "out", tmp_path / "cache"
    for frame in range(2):
        write_frame(dump, str(frame))
    make(dump, out, split="train")
    assert len(load(out, cache)) == 2
    make(dump, out, split="test")
    assert len(load(out, cache, "test")) == 2
    with pytest.raises(ValueError, match="train"):
        load(out, cache)


def test_numbers_are_the_files_own_in_every_reader(make, tmp_path):
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 65536, (SIZE[1], SIZE[0], 3), np.uint16)
    depth = rng.integers(0, 65536, (SIZE[1], SIZE[0]), np.uint16)
    tags = rng.integers(0, 256, (SIZE[1], SIZE[0], 4), np.uint8)
    meters = rng.normal(size=(SIZE[1], SIZE[0])).astype(np.float32)
    saved = io.BytesIO()
    np.save(saved, meters)
    dump, out = tmp_path / "sim", tmp_path / "out"
    files = {"flow": wide, "depth": depth, "instance": tags}
    encoded = {name: encode_png(pixels) for name, pixels in files.items()}
    for frame in range(2):
        write_frame(dump, str(frame), **encoded, occlusion=saved.getvalue())
    make(dump, out)

    (shard,) = out.glob("data/train/*.parquet")
    readers = {
        "datasets": load(out, tmp_path / "cache")[0],
        "streaming": next(iter(datasets.load_dataset(str(out), split="train", streaming=True))),
        "pandas": pd.read_parquet(shard).iloc[0].to_dict(),
        "arrow": pq.read_table(shard).slice(0, 1).to_pylist()[0],
    }
    for reader, row in readers.items():
        assert row["flow"]["bytes"] == encoded["flow"], reader
        read = {
            name: sflow_pipeline.read_array(row[name]) if isinstance(row[name], dict) else np.array(row[name])
            for name in (*encoded, "occlusion")
        }
        np.testing.assert_array_equal(read["flow"], wide[:, :, ::-1])  # OpenCV wrote its channels in reverse
        np.testing.assert_array_equal(read["instance"], tags[:, :, [2, 1, 0, 3]])
        np.testing.assert_array_equal(read["depth"], depth)
        np.testing.assert_array_equal(read["occlusion"], meters)
    assert np.array(readers["datasets"]["image"]).shape == (SIZE[1], SIZE[0], 3)
    assert np.unique(np.array(readers["datasets"]["label"])).tolist() == [0, 10]


def build_narrow_png(label_map: np.ndarray) -> bytes:
    """Ids up to 15 as a PNG of 4-bit grey."""
    height, width = label_map.shape
    packed = label_map[:, ::2] << 4 | label_map[:, 1::2]
    rows = b"".join(b"\0" + row.tobytes() for row in packed.astype(np.uint8))
    header = struct.pack(">IIBBBBB", width, height, 4, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("kind", ["narrow grey", "wide colour"])
def test_labels_that_pillow_would_change_stay_bytes(make, tmp_path, kind):
    ids = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    ids[:16] = 10
    label = build_narrow_png(ids)
    options = {}
    if kind == "wide colour":
        label = encode_png(np.stack([np.zeros_like(ids, np.uint16)] * 2 + [ids.astype(np.uint16)], axis=2))
        options = {"label_encoding": "red_channel"}
    for frame in range(2):
        write_frame(tmp_path / "sim", str(frame), label=label)
    out = make(tmp_path / "sim", tmp_path / "out", **options)
    row = load(out, tmp_path / "cache")[0]
    assert hashlib.sha256(row["label"]["bytes"]).digest() == hashlib.sha256(label).digest()
    read = sflow_pipeline.read_array(row["label"])
    np.testing.assert_array_equal(read if read.ndim == 2 else read[..., 0], ids)


def test_column_types_are_those_of_every_version_of_datasets(make, tmp_path):
    """`List` came with `datasets` 4; files that name it cannot be opened by older versions."""
    write_frame(tmp_path / "sim", "0")
    write_frame(tmp_path / "sim", "1")
    (shard,) = make(tmp_path / "sim", tmp_path / "out").glob("data/train/*.parquet")
    features = json.loads(pq.read_schema(shard).metadata[b"huggingface"])["info"]["features"]
    kinds = {feature["_type"] for feature in features.values() if "_type" in feature}
    assert kinds == {"Value", "Image", "Sequence"}
