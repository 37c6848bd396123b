"""Dumps in which one file has another bit depth than the rest: `datasets` never changes its numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import datasets
import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest

import sflow_pipeline
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.conversion_run import ConversionRun
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.plan.plan import Plan

Encode = Callable[[np.ndarray], bytes]
SIZE = (48, 32)
#: Class ids 0, 1 and 2 in stripes.
IDS = np.arange(SIZE[1], dtype=np.uint8)[:, None].repeat(SIZE[0], 1) // 11


def encode_png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def write_frame(dump: Path, number: int, **files: bytes) -> None:
    render = np.random.default_rng(number).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    for folder, data in {"rgb": encode_png(render), "semantic": encode_png(IDS), **files}.items():
        path = dump / "town" / folder / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (dump / "dataset.yaml").write_text("label_space: cityscapes19\n")


@pytest.fixture
def make(random_bundle: Path, tmp_path: Path) -> Callable[..., Any]:
    """Converts the dump, ``sim``, to ``out``."""

    def run(**fields: Any) -> Any:
        places = {"sim_dir": str(tmp_path / "sim"), "out_dir": str(tmp_path / "out"), "bundle": str(random_bundle)}
        return convert(build_job({**places, "workers": 1, "precision": "fp32", "shard_frames": 4, **fields}))

    return run


def load_labels(tmp_path: Path) -> dict[int, Any]:
    """Frame -> class ids as a user of `datasets` reads them, and of OpenCV where they are bytes."""
    rows = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    labels: dict[int, Any] = {}
    for row in rows:
        label = row["label"]
        if not isinstance(label, PIL.Image.Image):
            # OpenCV spreads grey of 4 bits to 0 to 255, as Pillow does.
            pixels = cv2.imdecode(np.frombuffer(label["bytes"], np.uint8), cv2.IMREAD_UNCHANGED)
            is_narrow = label["bytes"][24] == 4
            labels[row["frame_index"]] = pixels // 17 if is_narrow else pixels
        else:
            labels[row["frame_index"]] = np.array(label)
    return labels


def test_one_label_of_4_bits_among_others(
    make: Callable[..., Any], tmp_path: Path, encode_gray_of_4_bits: Encode
) -> None:
    for number in range(6):
        write_frame(tmp_path / "sim", number)
    write_frame(tmp_path / "sim", 5, semantic=encode_gray_of_4_bits(IDS))
    assert make().rows == 6
    labels = load_labels(tmp_path)
    assert sorted(labels) == list(range(6))
    for label in labels.values():
        np.testing.assert_array_equal(label, IDS)
    assert make().shards_converted == 0  # known from the kept counts


@pytest.mark.parametrize("is_first", [True, False])
def test_a_dump_that_grows_by_one(
    make: Callable[..., Any], tmp_path: Path, encode_gray_of_4_bits: Encode, is_first: bool
) -> None:
    """Whether the file is where a sample would look makes no difference to the dataset."""
    for number in range(1, 5):
        write_frame(tmp_path / "sim", number)
    make()
    write_frame(tmp_path / "sim", 0 if is_first else 5, semantic=encode_gray_of_4_bits(IDS))
    assert make().rows == 5
    labels = load_labels(tmp_path)
    assert len(labels) == 5
    for label in labels.values():
        np.testing.assert_array_equal(label, IDS)


def test_one_instance_file_of_4_bits_among_others(
    make: Callable[..., Any], tmp_path: Path, encode_gray_of_4_bits: Encode
) -> None:
    numbers = IDS + 3
    for number in range(6):
        write_frame(tmp_path / "sim", number, instance=encode_png(numbers))
    write_frame(tmp_path / "sim", 5, instance=encode_gray_of_4_bits(numbers))
    assert make().rows == 6
    for row in datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache")):
        np.testing.assert_array_equal(np.array(row["label"]), IDS)  # still a picture
        np.testing.assert_array_equal(sflow_pipeline.read_array(row["instance"]), numbers)
        source = tmp_path / "sim/town/instance" / f"{row['frame_index']:04}.png"
        assert row["instance"]["bytes"] == source.read_bytes()
    assert make().shards_converted == 0


def test_a_file_that_changes_while_frames_are_converted(
    make: Callable[..., Any], tmp_path: Path, encode_gray_of_4_bits: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the size that it had, and is left out until the next run, which finds it in time."""
    narrow = encode_gray_of_4_bits(IDS)
    path = tmp_path / "sim/town/semantic/0005.png"
    for number in range(6):
        write_frame(tmp_path / "sim", number)
    path.write_bytes(path.read_bytes().ljust(400, b"\0"))
    plan = ConversionRun.plan

    def change_and_plan(run: ConversionRun) -> Plan:
        path.write_bytes(narrow.ljust(400, b"\0"))
        return plan(run)

    with monkeypatch.context() as patched:
        patched.setattr(ConversionRun, "plan", change_and_plan)
        summary = make(max_bad_fraction=0.5)
    assert (summary.rows, summary.reasons) == (5, {"other_bit_depth": 1})
    (said,) = [
        row for shard in tmp_path.glob("out/quarantine/**/*.parquet") for row in pq.read_table(shard).to_pylist()
    ]
    assert "0005.png: 4-bit grey among label files" in said["message"] and "run again" in said["hint"]
    assert make().rows == 6
    for label in load_labels(tmp_path).values():
        np.testing.assert_array_equal(label, IDS)
