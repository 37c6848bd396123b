"""The recording vehicle's own bonnet: found, kept as rendered in the image's tone, blacked out, or painted."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sflow_pipeline.bundle.own_vehicle import find_own_vehicle
from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.painting.own_vehicle import apply_own_vehicle
from sflow_pipeline.errors import UsageError


def test_a_car_ahead_is_not_the_own_vehicle() -> None:
    scene = np.full((60, 100), 3, np.uint8)
    scene[30:60, 40:60] = 8  # a car that touches the border, 20 % of it
    assert find_own_vehicle(scene, (8,)) is None
    scene[50:60, 10:90] = 8
    mask = find_own_vehicle(scene, (8,))
    assert mask is not None
    assert mask[55, 20]
    scene[10:20, 10:20] = 8
    again = find_own_vehicle(scene, (8,))
    assert again is not None
    assert not again[15, 15]


def test_two_cars_side_by_side_are_not_one() -> None:
    scene = np.full((60, 100), 3, np.uint8)
    scene[40:60, :25] = scene[40:60, 60:85] = 8
    assert find_own_vehicle(scene, (8,)) is None


def test_kept_detail_is_the_renders_and_tone_the_images() -> None:
    rng = np.random.default_rng(0)
    render = rng.integers(60, 200, (80, 120, 3)).astype(np.uint8)
    photo = np.full_like(render, 90)
    mask = np.zeros((80, 120), bool)
    mask[40:] = True
    kept = apply_own_vehicle(photo, render, mask, "keep")
    assert np.array_equal(kept[:40], photo[:40])
    inside = kept[42:, 2:-2].astype(float)
    assert abs(inside.mean() - 90) < 3
    assert np.corrcoef(inside.ravel(), render[42:, 2:-2].ravel())[0, 1] > 0.9


@pytest.fixture
def bonnet_dump(dump: Any) -> Any:
    """The plain dump with a bonnet over the lower third of every frame."""
    for sequence in ("town01", "town02"):
        for frame in range(6):
            path = dump.root / sequence / "semantic" / f"{frame:04}.png"
            label = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            label[label == 8] = 3  # no other car
            label[22:] = 8
            cv2.imwrite(str(path), label)
    return dump


@pytest.mark.usefixtures("bonnet_dump")
def test_the_job_decides(make_job: Callable[..., ConvertJob], appearance_bundle: Path, tmp_path: Path) -> None:
    images = {}
    for treatment in ("paint", "keep", "mask"):
        out = tmp_path / treatment
        convert(make_job(out_dir=str(out), bundle=str(appearance_bundle), own_vehicle=treatment, limit=2))
        (file,) = (out / "data").rglob("*.parquet")
        row = pq.read_table(file).to_pylist()[0]
        images[treatment] = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])))
    assert not images["mask"][22:].any()
    assert images["paint"][22:].any()
    assert not np.array_equal(images["paint"][22:], images["keep"][22:])
    for treatment in ("keep", "mask"):
        assert np.array_equal(images[treatment][:20], images["paint"][:20])


@pytest.mark.usefixtures("bonnet_dump")
def test_it_is_masked_in_images_from_labels_alone_too(
    make_job: Callable[..., ConvertJob], appearance_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = {"appearance": "palette", "own_vehicle": "mask", "limit": 2}
    convert(make_job(out_dir=str(out), bundle=str(appearance_bundle), **options))
    (file,) = (out / "data").rglob("*.parquet")
    image = np.asarray(Image.open(io.BytesIO(pq.read_table(file).to_pylist()[0]["image"]["bytes"])))
    assert not image[22:].any()
    assert image[:20].any()


def test_a_stated_mask_wins_over_the_labels_and_its_content_counts(
    make_job: Callable[..., ConvertJob], appearance_bundle: Path, tmp_path: Path
) -> None:
    mask = np.zeros((64, 96, 3), np.uint8)  # twice the frames' size
    mask[40:, :48] = 255
    path, out = tmp_path / "bonnet.png", tmp_path / "out"
    cv2.imwrite(str(path), mask)
    job = make_job(
        out_dir=str(out), bundle=str(appearance_bundle), own_vehicle="mask", own_vehicle_mask=str(path), limit=2
    )
    convert(job)
    (file,) = (out / "data").rglob("*.parquet")
    image = np.asarray(Image.open(io.BytesIO(pq.read_table(file).to_pylist()[0]["image"]["bytes"])))
    assert not image[20:, :24].any()
    assert image[:20].any(axis=2).mean() > 0.5
    assert convert(job).shards_converted == 0
    mask[40:, 48:] = 255
    cv2.imwrite(str(path), mask)
    assert convert(job).shards_converted == 1


@pytest.mark.parametrize(
    ("value", "problem"), [(None, "No such file"), (0, "black throughout"), (255, "nowhere black")]
)
def test_a_mask_that_masks_nothing_is_refused(
    make_job: Callable[..., ConvertJob], tmp_path: Path, value: int | None, problem: str
) -> None:
    path = tmp_path / "bonnet.png"
    if value is not None:
        cv2.imwrite(str(path), np.full((8, 8, 3), value, np.uint8))
    with pytest.raises(UsageError, match=problem) as caught:
        convert(make_job(own_vehicle_mask=str(path)))
    assert "leave out --own-vehicle-mask" in str(caught.value.hint)
