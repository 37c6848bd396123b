"""Exports of datasets whose images are not PNG: the stored file where the layout's readers take it, else PNG."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sflow_pipeline
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.export.export_dataset import export_dataset


@pytest.fixture(scope="module")
def stored(tmp_path_factory, street_dump: Path, random_bundle: Path) -> Path:
    out = tmp_path_factory.mktemp("webp") / "out"
    fields = {"bundle": str(random_bundle), "image_format": "webp", "workers": 1, "limit": 2, "precision": "fp32"}
    convert(build_job({"sim_dir": str(street_dump), "out_dir": str(out), **fields}))
    return out


@pytest.fixture(scope="module")
def images(stored: Path) -> list[bytes]:
    return sorted(np.ascontiguousarray(sample.image).tobytes() for sample in sflow_pipeline.open_dataset(str(stored)))


def read(paths: list[Path], image_format: str) -> list[bytes]:
    pictures = [Image.open(path) for path in paths]
    assert {picture.format for picture in pictures} == {image_format}
    return sorted(np.asarray(picture).tobytes() for picture in pictures)


@pytest.mark.parametrize(("to", "pattern"), [("cityscapes", "leftImg8bit/*/*/*.png"), ("kitti", "*/image_2/*.png")])
def test_layouts_of_png_alone_get_png(stored, images, tmp_path, to, pattern):
    export_dataset(str(stored), str(tmp_path / to), to)
    assert read(list((tmp_path / to).glob(pattern)), "PNG") == images


@pytest.mark.parametrize(("to", "pattern"), [("yolo", "images/*/*"), ("yolo-seg", "images/*/*"), ("png", "*/*/rgb/*")])
def test_others_get_the_stored_file(stored, images, tmp_path, to, pattern):
    export_dataset(str(stored), str(tmp_path / to), to)
    assert read(list((tmp_path / to).glob(pattern)), "WEBP") == images


def test_coco_names_image_and_mask_as_they_are(stored, images, tmp_path):
    dest = tmp_path / "coco"
    export_dataset(str(stored), str(dest), "coco")
    found = []
    for path in (dest / "annotations").glob("panoptic_*.json"):
        content, split = json.loads(path.read_text()), path.stem.removeprefix("panoptic_")
        found += [dest / split / image["file_name"] for image in content["images"]]
        for annotation in content["annotations"]:
            assert Image.open(dest / "annotations" / path.stem / annotation["file_name"]).format == "PNG"
    assert read(found, "WEBP") == images


def test_the_plain_layout_is_a_dump_that_convert_reads(stored, images, tmp_path, random_bundle):
    export_dataset(str(stored), str(tmp_path / "plain"), "png")
    fields = {"bundle": str(random_bundle), "workers": 1, "precision": "fp32", "include": "render"}
    convert(build_job({"sim_dir": str(tmp_path / "plain"), "out_dir": str(tmp_path / "again"), **fields}))
    renders = [sample.render for sample in sflow_pipeline.open_dataset(str(tmp_path / "again"), columns=["render"])]
    assert sorted(np.ascontiguousarray(render).tobytes() for render in renders) == images
