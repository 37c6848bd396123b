"""Labels that are no plain 8-bit grey, in layouts whose readers take the numbers that Pillow and OpenCV give them."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.export.export_dataset import export_dataset

#: labelIds of Cityscapes: road, sidewalk, building, wall.
IDS = np.array([7, 8, 11, 12], np.uint8).repeat(8)[:, None].repeat(48, 1)


def save(picture: PIL.Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **options)
    return buffer.getvalue()


def encode_every_way(encode_gray_of_4_bits: Callable[[np.ndarray], bytes]) -> dict[str, bytes]:
    gray, opaque = PIL.Image.fromarray(IDS), PIL.Image.new("L", (48, 32), 255)
    indexed = PIL.Image.fromarray(IDS, "P")
    indexed.putpalette(bytes(range(48)) * 16)
    return {
        "plain": save(gray),
        "4 bits": encode_gray_of_4_bits(IDS),
        "alpha": save(PIL.Image.merge("LA", (gray, opaque))),
        "rgba": save(PIL.Image.merge("RGBA", (gray, gray, gray, opaque))),
        "indexed": save(indexed),
        "indexed, transparent": save(indexed, transparency=7),
        "transparent": save(gray, transparency=7),
    }


@pytest.mark.parametrize(
    ("to", "pattern"), [("cityscapes", "gtFine/**/*_labelIds.png"), ("kitti", "**/semantic/*.png")]
)
def test_readers_find_the_same_ids_in_every_label(
    to: str, pattern: str, random_bundle: Path, tmp_path: Path, encode_gray_of_4_bits: Callable[[np.ndarray], bytes]
) -> None:
    dump, labels = tmp_path / "sim", encode_every_way(encode_gray_of_4_bits)
    for number, data in enumerate(labels.values()):
        render = np.random.default_rng(number).integers(0, 255, (32, 48, 3), np.uint8)
        for folder, content in (("rgb", save(PIL.Image.fromarray(render))), ("semantic", data)):
            (dump / "town" / folder).mkdir(parents=True, exist_ok=True)
            (dump / "town" / folder / f"{number:04}.png").write_bytes(content)
    (dump / "dataset.yaml").write_text("label_space: cityscapes34\nlabel_encoding: ids\n")
    places = {"sim_dir": str(dump), "out_dir": str(tmp_path / "out"), "bundle": str(random_bundle)}
    convert(build_job({**places, "workers": 1, "precision": "fp32", "contradictions": "ignore"}))
    summary = export_dataset(str(tmp_path / "out"), str(tmp_path / "dest"), to)
    paths = sorted((tmp_path / "dest").glob(pattern))
    assert len(paths) == len(labels)
    for path, (name, data) in zip(paths, labels.items(), strict=True):
        np.testing.assert_array_equal(np.array(PIL.Image.open(path)), IDS, name)
        np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), IDS, name)
        assert (path.read_bytes() == data) == (name == "plain")
    assert summary.labels.endswith("but for 6 that were no plain 8-bit grey")
