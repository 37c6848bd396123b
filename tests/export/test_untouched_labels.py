"""Formats that keep files as they are: every label of the dataset arrives byte for byte."""

import hashlib
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
import yaml

from sflow_pipeline.export.export_dataset import export_dataset
from sflow_pipeline.simulators import discover


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def list_source_labels(dump: Path) -> Counter[str]:
    """Digests of the dump's labels, twice each for the dataset's two variants."""
    return Counter({digest(path.read_bytes()): 2 for path in dump.glob("*/semantic/*.png")})


@pytest.mark.parametrize("stored", ["parquet", "png"])
def test_png_tree(stored, export, street_dump):
    dest, summary = export("png", stored)
    assert summary.rows == 16
    labels = Counter(digest(path.read_bytes()) for path in dest.glob("train/*/semantic/*.png"))
    assert labels == list_source_labels(street_dump) and labels.total() == 16
    for path in dest.glob("train/*/instance/*.png"):
        sequence = path.parent.parent.name.removesuffix("_v1")
        assert path.read_bytes() == (street_dump / sequence / "instance" / path.name).read_bytes()


def test_png_tree_is_a_dump_again(export):
    dest, _summary = export("png")
    again = discover(str(dest))
    assert (again.simulator, again.label_space, again.fps) == ("folder", "cityscapes19", 10.0)
    assert len(again.frames) == 16 and not again.problems
    assert {"instance", "depth", "flow", "occlusion", "boxes", "camera"} <= set(again.modalities)


def test_webdataset_reads_it(export, street_dump, convert_streets):
    dest, summary = export("webdataset")
    tars = sorted(str(path) for path in dest.glob("*.tar"))
    samples = list(webdataset.WebDataset(tars, shardshuffle=False))
    assert len(samples) == summary.rows == 16
    assert Counter(digest(sample["label.png"]) for sample in samples) == list_source_labels(street_dump)
    assert len({sample["__key__"] for sample in samples}) == 16
    decoded = list(webdataset.WebDataset(tars, shardshuffle=False).decode("rgb8"))
    for raw, sample in zip(samples, decoded, strict=True):
        expected = cv2.imdecode(np.frombuffer(raw["image.png"], np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
        np.testing.assert_array_equal(sample["image.png"], expected)
        facts = sample["json"]
        assert facts["label_sha256"] == digest(raw["label.png"])
        assert facts["label_space"] == "cityscapes19"
        assert sample["boxes.json"]["boxes"] is not None


def test_webdataset_of_both_stored_formats_is_the_same(export):
    files = [export("webdataset", stored)[0] for stored in ("parquet", "png")]
    members = []
    for dest in files:
        found = webdataset.WebDataset(sorted(str(path) for path in dest.glob("*.tar")), shardshuffle=False)
        members.append([(sample["__key__"], sample["image.png"], sample["label.png"]) for sample in found])
    assert members[0] == members[1]


def test_the_same_dataset_gives_the_same_bytes(export, tmp_path, convert_streets):
    from sflow_pipeline.export.export_dataset import export_dataset

    for to in ("webdataset", "coco", "cityscapes"):
        first, _summary = export(to)
        second = tmp_path / f"again-{to}"
        export_dataset(str(convert_streets(format="parquet", variants=2)), str(second), to)
        trees = [
            {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
            for root in (first, second)
        ]
        assert trees[0] == trees[1]


def test_rows_can_be_chosen(export):
    dest, summary = export("png", variants=[1], splits=["train"])
    assert summary.rows == 8
    assert {path.name for path in (dest / "train").iterdir()} == {"street_0000_v1", "street_0001_v1"}
    stated = yaml.safe_load((dest / "dataset.yaml").read_text())
    assert set(stated["split"]) == {"train/street_0000_v1", "train/street_0001_v1"}


@pytest.mark.parametrize("to", ["png", "mp4"])
def test_a_sequence_named_like_a_variant_keeps_its_own_files(to, convert_streets, tmp_path):
    """``a`` and ``a_v1`` with two variants: four sequences of files."""
    out = tmp_path / "out"
    shutil.copytree(convert_streets(format="parquet", variants=2), out)
    names = {"street_0000": "a", "street_0001": "a_v1"}
    for path in (out / "data").rglob("*.parquet"):
        table = pq.read_table(path)
        for column in ("sequence_id", "sample_id"):
            place = table.schema.get_field_index(column)
            renamed = [
                value.replace("street_0000", names["street_0000"]).replace("street_0001", names["street_0001"])
                for value in table[column].to_pylist()
            ]
            table = table.set_column(place, table.schema.field(place), pa.array(renamed))
        pq.write_table(table, path)
    assert export_dataset(str(out), str(tmp_path / "dest"), to).rows == 16
    assert {path.stem for path in (tmp_path / "dest/train").iterdir()} == {"a", "a_v1", "a_v1_v0", "a_v1_v1"}
