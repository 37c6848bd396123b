"""`--image-format`: images in other files, the same pixels where lossless, labels as they were; read with Pillow."""

import io
import json
import sys
from pathlib import Path

import cv2
import datasets
import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

import sflow_pipeline
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.errors import MissingExtraError, UsageError

SUFFIXES = {"webp": ".webp", "jpeg": ".jpg"}


def decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def by_identity(rows: list[dict]) -> dict[tuple, dict]:
    return {(row["sample_id"], row["variant"]): row for row in rows}


@pytest.fixture
def pair(make_job, read_dataset, tmp_path):
    """(row in PNG, the same row in another format) of every row."""

    def run(image_format: str) -> list[tuple[dict, dict]]:
        jobs = [make_job(out_dir=str(tmp_path / name), image_format=name, limit=3) for name in ("png", image_format)]
        for job in jobs:
            assert convert(job).status == "clean"
        usual, other = (by_identity(read_dataset(job.out_dir)) for job in jobs)
        assert usual.keys() == other.keys()
        assert len(usual) == 3
        return [(usual[key], other[key]) for key in usual]

    return run


def test_webp_has_the_pixels_of_png_in_another_file(pair):
    for usual, other in pair("webp"):
        data = other["image"]["bytes"]
        assert Image.open(io.BytesIO(data)).format == "WEBP"
        assert other["image"]["path"] == usual["image"]["path"].replace(".png", ".webp")
        np.testing.assert_array_equal(decode(data), decode(usual["image"]["bytes"]))
        np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1], decode(data))
        for column in ("label", "edge", "render"):
            assert other[column] == usual[column]


def test_jpeg_is_close_and_keeps_a_colour_sample_of_every_pixel(pair):
    for usual, other in pair("jpeg"):
        picture = Image.open(io.BytesIO(other["image"]["bytes"]))
        assert picture.format == "JPEG"
        assert JpegImagePlugin.get_sampling(picture) == 0  # 4:4:4
        assert other["image"]["path"].endswith(".jpg")
        difference = np.abs(np.asarray(picture).astype(int) - decode(usual["image"]["bytes"]))
        assert 0 < difference.mean() < 3
        assert other["label"] == usual["label"]
        assert other["edge_f1"] == usual["edge_f1"]  # of the image before it was compressed


@pytest.mark.parametrize("image_format", ["webp", "jpeg"])
def test_trees_hold_the_format_and_are_verified(make_job, image_format):
    job = make_job(format="png", image_format=image_format, variants=2, limit=4)
    convert(job)
    out = Path(job.out_dir)
    images = sorted(path for path in (out / "data").rglob("*") if path.parent.name == "image")
    assert len(images) == 8
    assert {path.suffix for path in images} == {SUFFIXES[image_format]}
    labels = [path for path in (out / "data").rglob("*") if path.parent.name == "label"]
    assert {path.suffix for path in labels} == {".png"}
    assert verify(str(out)).problems == ()
    opened = [sample.image for sample in sflow_pipeline.open_dataset(str(out))]
    read = [cv2.imread(str(path))[..., ::-1] for path in images]
    assert sorted(array.tobytes() for array in opened) == sorted(array.tobytes() for array in read)
    assert sflow_pipeline.read_array({"bytes": images[0].read_bytes(), "path": images[0].name}).shape == (32, 48, 3)
    assert json.loads((out / "manifest.json").read_text())["job"]["image_format"] == image_format
    assert {"webp": "WebP, lossless", "jpeg": "JPEG of quality 95"}[image_format] in (out / "README.md").read_text()
    images[0].write_bytes(images[0].read_bytes()[:-9])
    assert any(images[0].name in problem for problem in verify(str(out)).problems)


def test_hugging_face_decodes_them(make_job, tmp_path):
    job = make_job(image_format="webp", limit=2)
    convert(job)
    row = datasets.load_dataset(job.out_dir, split="train", cache_dir=str(tmp_path / "cache"))[0]
    assert row["image"].size == (48, 32)


def test_another_format_is_converted_again_and_the_same_is_not(make_job, read_dataset):
    convert(make_job())
    before = by_identity(read_dataset(make_job().out_dir))
    assert convert(make_job(image_format="webp")).shards_converted == 4
    assert convert(make_job(image_format="webp")).shards_converted == 0
    for row in read_dataset(make_job().out_dir):
        assert row["image"]["path"].endswith(".webp")
    assert convert(make_job(image_format="png")).shards_converted == 4
    assert by_identity(read_dataset(make_job().out_dir)) == before


def test_without_pillow_webp_is_refused_before_anything_is_written(make_job, monkeypatch):
    job = make_job(image_format="webp")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match="webp needs Pillow") as caught:
        convert(job)
    assert "sflow-pipeline[webp]" in (caught.value.hint or "")
    assert not list(Path(job.out_dir).rglob("*.parquet"))
    assert convert(make_job(image_format="jpeg", limit=1)).rows == 1


def test_sides_that_a_format_cannot_hold_are_refused(make_job):
    with pytest.raises(UsageError, match="16384 pixels, the format holds 16383") as caught:
        convert(make_job(image_format="webp", size="16384x8"))
    assert "--image-format png" in (caught.value.hint or "")
