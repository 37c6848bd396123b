"""Bundles that paint each frame from the image before: order, new beginnings, the same bytes after an interruption."""

import json
import re
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from sflow_pipeline.bundle import build_random_bundle, load_bundle
from sflow_pipeline.config.job import ConvertJob, build_job
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.errors import UsageError
from sflow_pipeline.storage import image_codec
from sflow_pipeline.street.write_dump import write_sample_dump

FRAMES, SIZE = 4, (96, 64)
Images = dict[tuple[str, int, int], np.ndarray]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("street") / "streets"
    write_sample_dump(root, sequences=2, frames=FRAMES, size=SIZE, seed=4, workers=1)
    return root


@pytest.fixture(scope="module")
def sequential_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe.model_validate(
        {
            "name": "sequential",
            "generator": {"width": 9, "blocks": 1, "use_palette": True, "use_previous": True},
            "dned": {"widths": (4, 4, 4, 4, 4)},
        }
    )
    return build_random_bundle(tmp_path_factory.mktemp("bundle") / "sequential", 1, recipe).path


@pytest.fixture
def make(street: Path, sequential_bundle: Path, tmp_path: Path) -> Callable[..., ConvertJob]:
    def build(out: str = "out", **fields: Any) -> ConvertJob:
        fixed = {"sim_dir": str(street), "out_dir": str(tmp_path / out), "bundle": str(sequential_bundle)}
        return build_job({**fixed, "workers": 1, "precision": "fp32", **fields})

    return build


def test_a_dump_without_pictures_is_refused(street: Path, make: Callable[..., ConvertJob], tmp_path: Path) -> None:
    shutil.copytree(street, tmp_path / "labels", ignore=shutil.ignore_patterns("rgb"))
    with pytest.raises(UsageError, match="has no pictures, and bundle sequential carries") as caught:
        convert(make(sim_dir=str(tmp_path / "labels")))
    assert "--bundle" in caught.value.hint


@pytest.fixture
def read(read_dataset: Callable) -> Callable[[ConvertJob], Images]:
    def read_images(job: ConvertJob) -> Images:
        return {
            (row["sequence_id"], row["frame_index"], row["variant"]): image_codec.decode_rgb(
                row["image"]["bytes"], name="image"
            )
            for row in read_dataset(job.out_dir)
        }

    return read_images


def read_frames(root: Path, sequence: str) -> tuple[np.ndarray, np.ndarray]:
    """Renders and label maps of a sequence, in order."""
    folder = root / sequence
    renders = [image_codec.decode_rgb(path.read_bytes(), name="r") for path in sorted((folder / "rgb").iterdir())]
    labels = [image_codec.decode_plane(path.read_bytes(), name="l") for path in sorted((folder / "semantic").iterdir())]
    return np.stack(renders), np.stack(labels)


def test_each_image_is_painted_from_the_one_before(
    make: Callable[..., ConvertJob], read: Callable, street: Path, sequential_bundle: Path
) -> None:
    """Conversion, a sequence of arrays, and a loop that passes the image before give the same images."""
    job = make(variants=2)
    assert convert(job).status == "clean"
    images = read(job)
    bundle = load_bundle(sequential_bundle)
    renders, labels = read_frames(street, "street_0001")
    look: dict[str, Any] = {"label_space": "cityscapes19", "device": "cpu", "precision": "fp32"}
    together = bundle.paint(renders, labels, **look)
    previous = None
    for i, (render, label) in enumerate(zip(renders, labels, strict=True)):
        image = bundle.paint(render, label, previous=previous, **look)
        assert np.array_equal(image, together[i])
        assert np.array_equal(image, images["street_0001", i, 0])
        assert np.array_equal(image, bundle.paint(render, label, **look)) == (i == 0)
        assert i == 0 or not np.array_equal(images["street_0001", i, 0], images["street_0001", i, 1])
        previous = (render, image)


def test_bytes_do_not_depend_on_limits_of_shards_on_batches_or_on_an_interruption(
    make: Callable[..., ConvertJob], read: Callable, snapshot: Callable, tmp_path: Path
) -> None:
    """A sequence is one shard, which begins without an image before; one that is lost is made again as it was."""
    whole, cut = make("whole"), make("cut", shard_frames=2, batch_size=3)
    assert [convert(job).status for job in (whole, cut)] == ["clean", "clean"]
    found = [read(job) for job in (whole, cut)]
    assert all(np.array_equal(image, found[1][key]) for key, image in found[0].items())
    shards = sorted((tmp_path / "cut" / "data").rglob("*.parquet"))
    assert len(shards) == 2
    before = snapshot(tmp_path / "cut" / "data")
    shards[1].unlink()
    assert convert(cut).shards_converted == 1
    assert snapshot(tmp_path / "cut" / "data") == before


@pytest.mark.ray
@pytest.mark.slow
def test_workers_write_what_one_process_writes(
    make: Callable[..., ConvertJob], snapshot: Callable, tmp_path: Path
) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        assert convert(make(name, shard_frames=2, workers=workers)).status == "clean"
    assert snapshot(tmp_path / "one" / "data") == snapshot(tmp_path / "two" / "data")


def test_smoothing_is_refused_for_bundles_that_paint_in_order(make: Callable[..., ConvertJob]) -> None:
    with pytest.raises(UsageError, match="paints each frame from the image before it") as caught:
        convert(make(smooth=0.67))
    assert "without --smooth" in str(caught.value.hint)


def test_a_gap_is_a_new_beginning_and_is_said(
    make: Callable[..., ConvertJob], read: Callable, street: Path, sequential_bundle: Path, tmp_path: Path
) -> None:
    dump = Path(shutil.copytree(street, tmp_path / "streets"))
    for path in dump.rglob("street_0000/*/000001.*"):
        path.unlink()
    job = make(sim_dir=str(dump))
    summary = convert(job)
    assert any(
        "1 gaps in the numbers of frames: after each, an image is painted without" in w for w in summary.warnings
    )
    renders, labels = read_frames(dump, "street_0000")
    alone = load_bundle(sequential_bundle).paint(
        renders[1], labels[1], label_space="cityscapes19", device="cpu", precision="fp32"
    )
    images = read(job)
    assert np.array_equal(images["street_0000", 2, 0], alone)


def test_single_frames_are_painted_and_it_is_said_that_nothing_comes_before(
    make: Callable[..., ConvertJob],
) -> None:
    summary = convert(make(limit=1))
    assert any("no sequence has two consecutive frames" in warning for warning in summary.warnings)


def test_the_steadiness_of_videos_is_measured_and_drawn(
    make: Callable[..., ConvertJob], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for out in ("in_order", "again"):
        assert convert(make(out, limit=FRAMES)).status == "clean"
    script = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "video.py"))
    script["main"]([*(f"{out}={tmp_path / out}" for out in ("in_order", "again")), f"--out={tmp_path / 'results'}"])
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["in_order"] == found["again"]
    assert [len(found["in_order"][name]) for name in ("errors", "distances")] == [FRAMES - 1, FRAMES]
    assert found["rendered"]["distances"] == [0] * FRAMES
    assert len(re.findall(r"^\| (rendered|in_order|again) \|", capsys.readouterr().out, flags=re.M)) == 3
    assert len(ElementTree.parse(tmp_path / "results.svg").findall(".//{*}polyline")) == 6
