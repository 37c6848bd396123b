"""Smoothing along the motion of frames: steadier images, the same bytes on any worker, refusal of wrong flow."""

import json
import os
import runpy
import shutil
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from sflow_pipeline.bundle.translator import Translation
from sflow_pipeline.config.job import ConvertJob, build_job
from sflow_pipeline.conversion.convert import convert, plan_conversion
from sflow_pipeline.conversion.frame.decode import DecodedFrame
from sflow_pipeline.conversion.motion.motion_source import MotionSource
from sflow_pipeline.conversion.motion.smoothing import Shown, blend, find_paths, invert_motion
from sflow_pipeline.conversion.painting.look import Look
from sflow_pipeline.conversion.painting.paint import Painter
from sflow_pipeline.conversion.painting.smoothing_window import SmoothingWindow
from sflow_pipeline.errors import ConfigError, UsageError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.storage import image_codec
from sflow_pipeline.street.write_dump import write_sample_dump

FRAMES, SIZE = 6, (96, 64)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("street") / "streets"
    write_sample_dump(root, sequences=2, frames=FRAMES, size=SIZE, seed=4, workers=1)
    return root


@pytest.fixture
def dump_of_street(street: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(street, tmp_path / "streets"))


@pytest.fixture
def make(dump_of_street: Path, appearance_bundle: Path, tmp_path: Path) -> Callable[..., ConvertJob]:
    def build(out: str = "out", **fields: Any) -> ConvertJob:
        fixed = {"sim_dir": str(dump_of_street), "out_dir": str(tmp_path / out), "bundle": str(appearance_bundle)}
        return build_job({**fixed, "workers": 1, "precision": "fp32", **fields})

    return build


@pytest.fixture
def images(tmp_path: Path, read_dataset: Callable) -> Callable[..., dict[tuple[str, int, int], np.ndarray]]:
    def convert_and_read(job: ConvertJob) -> dict[tuple[str, int, int], np.ndarray]:
        assert convert(job).status == "clean"
        rows = read_dataset(job.out_dir)
        return {
            (row["sequence_id"], row["frame_index"], row["variant"]): image_codec.decode_rgb(
                row["image"]["bytes"], name="image"
            )
            for row in rows
        }

    return convert_and_read


def rewrite_flow(root: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Flow files in KITTI's PNG, read and written with OpenCV alone (BGR: valid, y, x)."""
    for path in root.rglob("flow/*.png"):
        plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert plane is not None
        flow = change((plane[..., :0:-1].astype(np.float64) - 32768) / 64)
        plane[..., 0] &= np.isfinite(flow).all(axis=2).astype(np.uint16)
        plane[..., :0:-1] = np.clip(np.nan_to_num(flow) * 64 + 32768, 0, 65535)
        cv2.imwrite(str(path), plane)


def measure_flicker(images: dict[tuple[str, int, int], np.ndarray], root: Path) -> float:
    """Mean difference along the simulator's flow, by OpenCV, over pixels that both frames show."""
    found = []
    for (sequence, index, variant), image in images.items():
        after = images.get((sequence, index + 1, variant))
        path = root / sequence / "flow" / f"{index:06d}.png"
        if after is None or not path.exists():
            continue
        plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        hidden = cv2.imread(str(root / sequence / "occlusion" / path.name), cv2.IMREAD_UNCHANGED)
        assert plane is not None and hidden is not None
        flow = (plane[..., :0:-1].astype(np.float32) - 32768) / 64
        grid = np.stack(np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1])), axis=2).astype(np.float32) + flow
        warped = cv2.remap(after, grid, None, cv2.INTER_LINEAR)
        inside = (grid >= 0).all(axis=2) & (grid[..., 0] < SIZE[0] - 1) & (grid[..., 1] < SIZE[1] - 1)
        seen = inside & (hidden == 0) & (plane[..., 0] > 0)
        found.append(np.abs(image.astype(float) - warped)[seen].mean())
    return float(np.mean(found))


def test_images_change_less_along_the_motion(
    make: Callable[..., ConvertJob], images: Callable, dump_of_street: Path
) -> None:
    plain, smooth = images(make("plain", smooth=0, variants=2)), images(make("smooth", variants=2, smooth=1))
    assert plain.keys() == smooth.keys()
    assert measure_flicker(smooth, dump_of_street) < 0.7 * measure_flicker(plain, dump_of_street)
    assert not any(np.array_equal(image, smooth[key]) for key, image in plain.items())


def test_without_flow_the_motion_is_measured(
    make: Callable[..., ConvertJob], images: Callable, dump_of_street: Path, street: Path
) -> None:
    for kind in ("flow", "occlusion"):
        for sequence in dump_of_street.glob("street_*"):
            shutil.rmtree(sequence / kind)
    job = make("smooth", smooth=1)
    summary = convert(job)
    assert any("no flow: images are smoothed along the motion measured" in text for text in summary.warnings)
    smooth, plain = images(job), images(make("plain", smooth=0))
    assert measure_flicker(smooth, street) < 0.87 * measure_flicker(plain, street)


def test_labels_stay_as_they_are_byte_for_byte(
    make: Callable[..., ConvertJob], read_dataset: Callable, dump_of_street: Path
) -> None:
    job = make(smooth=1)
    assert convert(job).status == "clean"
    for row in read_dataset(job.out_dir):
        assert row["label"]["bytes"] == (dump_of_street / row["label"]["path"]).read_bytes()


def test_a_sequence_that_is_cut_into_shards_is_what_it_is_as_a_whole(
    make: Callable[..., ConvertJob], read_dataset: Callable, dump_of_street: Path, tmp_path: Path
) -> None:
    """Every cell of every row, the bytes of images among them; the frame that is damaged lies at a border of shards."""
    (dump_of_street / "street_0001" / "rgb" / "000002.png").write_bytes(b"no picture")
    fields = {"smooth": 1, "variants": 2, "max_bad_fraction": 0.5}
    rows = {}
    for name, limits in (("whole", {}), ("cut", {"shard_frames": 2}), ("single", {"shard_frames": 1, "batch_size": 3})):
        convert(make(name, **fields, **limits))
        rows[name] = sorted(read_dataset(str(tmp_path / name)), key=lambda row: (row["sample_id"], row["variant"]))
    assert len(list((tmp_path / "cut" / "data").rglob("*.parquet"))) > 4
    assert len(rows["whole"]) == 2 * (2 * FRAMES - 1)
    assert rows["cut"] == rows["whole"]
    assert rows["single"] == rows["whole"]


def test_a_batch_is_painted_as_its_frames_alone_and_with_its_neighbours(
    make: Callable[..., ConvertJob], images: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No frame is painted twice within a shard."""
    whole = images(make("one", smooth=1))
    sizes: list[int] = []
    translate = Painter.translate

    def count(self: Painter, frames: list[DecodedFrame], *arguments: Any) -> Translation:
        sizes.append(len(frames))
        return translate(self, frames, *arguments)

    monkeypatch.setattr(Painter, "translate", count)
    batched = images(make("four", smooth=1, batch_size=4))
    assert sum(sizes) == 2 * FRAMES
    assert max(sizes) == 4
    assert all(np.abs(whole[key].astype(int) - batched[key]).max() <= 1 for key in whole)


def test_a_changed_frame_makes_the_shards_anew_that_it_reaches(
    make: Callable[..., ConvertJob], snapshot: Callable, dump_of_street: Path, tmp_path: Path
) -> None:
    """At appearance 0 no colours are measured over the drive; shards of one frame show how far a frame reaches."""
    job = make(smooth=1, appearance=0, shard_frames=1, content_hash=True)
    assert convert(job).shards_converted == 2 * FRAMES
    path = dump_of_street / "street_0000" / "rgb" / "000001.png"
    cv2.imwrite(str(path), cv2.imread(str(path))[:, ::-1])
    redone = [shard.task.shard_id[:18] for shard in plan_conversion(job).shards if shard.action == "redo"]
    assert redone == [f"street_0000_00000{i}" for i in range(5)]
    convert(job)
    after = snapshot(tmp_path / "out" / "data")
    fresh = make("fresh", smooth=1, appearance=0, shard_frames=1, content_hash=True)
    convert(fresh)
    assert after == snapshot(tmp_path / "fresh" / "data")
    next((tmp_path / "out" / "data").rglob("*000003*.parquet")).unlink()
    assert convert(job).shards_converted == 1
    assert after == snapshot(tmp_path / "out" / "data")


def test_a_neighbour_that_could_not_be_read_is_tried_again(
    make: Callable[..., ConvertJob], dump_of_street: Path
) -> None:
    """Not only the shard of the frame is made again, but those that smoothed without it, too."""
    path = dump_of_street / "street_0000" / "rgb" / "000002.png"
    content, stat = path.read_bytes(), path.stat()
    job = make(smooth=1, appearance=0, shard_frames=1, max_bad_fraction=0.5)
    path.write_bytes(bytes(len(content)))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    convert(job)
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    redone = [shard.task.shard_id[:18] for shard in plan_conversion(job).shards if shard.action == "redo"]
    assert redone == [f"street_0000_00000{i}" for i in range(6)]


def test_a_label_that_stands_out_is_a_gap_in_every_shard(
    make: Callable[..., ConvertJob], read_dataset: Callable, dump_of_street: Path, tmp_path: Path
) -> None:
    path = dump_of_street / "street_0000" / "semantic" / "000002.png"
    label = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert label is not None
    label[: SIZE[1] * 3 // 4] = 255  # void
    cv2.imwrite(str(path), label)
    rows = []
    for name, frames in (("whole", 512), ("cut", 1)):
        convert(make(name, smooth=1, shard_frames=frames, max_bad_fraction=0.5))
        rows.append(sorted(read_dataset(str(tmp_path / name)), key=lambda row: row["sample_id"]))
    assert len(rows[0]) == 2 * FRAMES - 1
    assert rows[0] == rows[1]


@pytest.mark.ray
@pytest.mark.slow
def test_workers_write_what_one_process_writes(
    make: Callable[..., ConvertJob], snapshot: Callable, tmp_path: Path
) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        assert convert(make(name, smooth=1, shard_frames=2, workers=workers)).status == "clean"
    assert snapshot(tmp_path / "one" / "data") == snapshot(tmp_path / "two" / "data")


def keep_only(root: Path, first: int, last: int) -> None:
    """Frames of the first street outside a range are deleted; at appearance 0 no image depends on their colours."""
    for path in root.rglob("street_0000/*/0*.*"):
        if not first <= int(path.stem) <= last:
            path.unlink()


def test_smoothing_starts_anew_after_a_gap(
    make: Callable[..., ConvertJob], images: Callable, dump_of_street: Path
) -> None:
    for path in dump_of_street.rglob("street_0000/*/000003.*"):
        path.unlink()
    job = make("gap", smooth=1, appearance=0)
    summary = convert(job)
    assert any("1 gaps in the numbers of frames: smoothing starts anew" in text for text in summary.warnings)
    found = images(job)
    keep_only(dump_of_street, 0, 2)
    alone = images(make("alone", smooth=1, appearance=0))
    assert all(np.array_equal(alone["street_0000", i, 0], found["street_0000", i, 0]) for i in range(3))


def test_frames_of_a_split_that_others_lie_between_are_not_blended(
    make: Callable[..., ConvertJob], images: Callable, dump_of_street: Path
) -> None:
    splits = {"split_by": ("frame", "0.6/0.2/0.2"), "appearance": 0}
    job = make("smooth", **splits)
    convert(job)
    found, independent = images(job), images(make("independent", smooth=0, **splits))
    rows = [row for path in Path(job.out_dir).rglob("data/**/*.parquet") for row in pq.read_table(path).to_pylist()]
    places = {(row["sequence_id"], row["frame_index"]): row["split"] for row in rows}
    alone = [
        (name, index)
        for (name, index), split in places.items()
        if split not in (places.get((name, index - 1)), places.get((name, index + 1)))
    ]
    assert alone and any(
        not np.array_equal(found[name, index, 0], independent[name, index, 0]) for name, index in places
    )
    for name, index in alone:
        np.testing.assert_array_equal(found[name, index, 0], independent[name, index, 0])


def test_smoothing_starts_anew_where_the_frame_before_has_no_flow(
    make: Callable[..., ConvertJob], images: Callable, dump_of_street: Path
) -> None:
    (dump_of_street / "street_0000" / "flow" / "000002.png").unlink()
    found = images(make("hole", smooth=1, appearance=0))
    keep_only(dump_of_street, 0, 2)
    alone = images(make("alone", smooth=1, appearance=0))
    assert all(np.array_equal(alone["street_0000", i, 0], found["street_0000", i, 0]) for i in range(3))


def test_three_frames_before_and_three_after_count(
    make: Callable[..., ConvertJob], images: Callable, dump_of_street: Path
) -> None:
    whole = images(make("whole", smooth=1, appearance=0))
    keep_only(dump_of_street, 0, 4)
    cut = images(make("cut", smooth=1, appearance=0))
    same = [np.array_equal(cut["street_0000", i, 0], whole["street_0000", i, 0]) for i in range(5)]
    assert same == [True, True, False, False, False]


def test_without_pairs_it_is_refused(make: Callable[..., ConvertJob], dump_of_street: Path) -> None:
    with pytest.raises(UsageError, match="no two consecutive frames") as caught:
        convert(make(smooth=1, limit=1))
    assert "with --smooth 0" in str(caught.value.hint)


def test_a_damaged_frame_is_a_gap_and_its_neighbours_are_converted(
    make: Callable[..., ConvertJob], read_dataset: Callable, dump_of_street: Path
) -> None:
    (dump_of_street / "street_0000" / "rgb" / "000002.png").write_bytes(b"no picture")
    job = make(smooth=1, max_bad_fraction=0.5)
    convert(job)
    rows = [row["frame_index"] for row in read_dataset(job.out_dir) if row["sequence_id"] == "street_0000"]
    assert sorted(rows) == [0, 1, 3, 4, 5]


def test_sequences_with_flow_are_smoothed_unless_the_job_says_otherwise(
    make: Callable[..., ConvertJob], images: Callable, read_dataset: Callable, dump_of_street: Path
) -> None:
    """Every row states both options of video; what a job leaves open and what it says are one setting where equal."""
    left_open = make("open", shifts=2)
    found, stated, alone = images(left_open), images(make("one", smooth=1, shifts=2)), images(make(smooth=0, shifts=2))
    assert all(np.array_equal(found[key], stated[key]) for key in found)
    assert not any(np.array_equal(found[key], alone[key]) for key in found)
    assert {(row["smooth"], row["shifts"]) for row in read_dataset(left_open.out_dir)} == {(1.0, 2)}
    assert {(row["smooth"], row["shifts"]) for row in read_dataset(make().out_dir)} == {(0.0, 2)}
    assert plan_conversion(make("open", smooth=1, shifts=2)).is_up_to_date
    plan = plan_conversion(make("open", smooth=0.5, shifts=2))
    assert [str(change) for change in plan.settings] == ["smooth: 1.0 -> 0.5"]
    for kind in ("flow", "occlusion"):
        for sequence in dump_of_street.glob("street_*"):
            shutil.rmtree(sequence / kind)
    assert convert(make("still", shifts=2)).smooth == 0


def test_wrong_flow_leaves_images_independent_and_is_said(
    make: Callable[..., ConvertJob], read_dataset: Callable, dump_of_street: Path
) -> None:
    rewrite_flow(dump_of_street, lambda flow: -flow)
    summary = convert(make())
    assert any("images of sequences are not smoothed" in t and "signs are reversed" in t for t in summary.warnings)
    assert {row["smooth"] for row in read_dataset(summary.out_dir)} == {0.0}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda flow: -flow, "signs are reversed"),
        (lambda flow: flow[..., ::-1], "x and y are exchanged"),
        (lambda flow: flow * 15 + 8, "pictures that are taken to stand still agree better"),
        (lambda flow: flow * np.nan, "flow has no value on any pixel"),
    ],
)
def test_flow_that_is_not_the_pictures_is_refused(
    change: Callable[[np.ndarray], np.ndarray], text: str, make: Callable[..., ConvertJob], dump_of_street: Path
) -> None:
    rewrite_flow(dump_of_street, change)
    with pytest.raises(UsageError, match=text):
        convert(make(smooth=1))


def test_flow_in_units_of_the_pictures_size_is_refused(make: Callable[..., ConvertJob], dump_of_street: Path) -> None:
    for path in dump_of_street.rglob("flow/*.png"):
        plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert plane is not None
        flow = (plane[..., :0:-1].astype(np.float32) - 32768) / 64
        np.save(path.with_suffix(".npy"), flow / np.array(SIZE, np.float32))
        path.unlink()
    with pytest.raises(UsageError, match="its unit is the picture's width and height") as caught:
        convert(make(smooth=1))
    assert "write flow in px to the next frame" in str(caught.value.hint)


def test_a_sequence_of_one_frame_beside_others_stays_as_it_is(
    make: Callable[..., ConvertJob], images: Callable, dump_of_street: Path
) -> None:
    for path in dump_of_street.rglob("street_0000/*/00000[1-9].*"):
        path.unlink()
    smooth, plain = images(make("smooth", smooth=1)), images(make("plain", smooth=0))
    assert np.array_equal(smooth["street_0000", 0, 0], plain["street_0000", 0, 0])
    assert not np.array_equal(smooth["street_0001", 1, 0], plain["street_0001", 1, 0])


def test_flow_of_another_size_is_refused(make: Callable[..., ConvertJob], dump_of_street: Path) -> None:
    for path in dump_of_street.rglob("flow/*.png"):
        plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert plane is not None
        cv2.imwrite(str(path), plane[::2, ::2])
    with pytest.raises(UsageError, match=r"flow of none of .* 48x32 px, its picture has 96x64"):
        convert(make(smooth=1))


def test_frames_of_another_size_are_not_mixed_with_their_neighbours(
    make: Callable[..., ConvertJob], images: Callable, dump_of_street: Path
) -> None:
    for path in dump_of_street.rglob("street_0000/*/000003.png"):
        plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert plane is not None
        cv2.imwrite(str(path), plane[::2, ::2])
    smooth, plain = images(make("smooth", smooth=1)), images(make("plain", smooth=0))
    same = [np.array_equal(smooth["street_0000", i, 0], plain["street_0000", i, 0]) for i in range(FRAMES)]
    assert same == [False, False, False, True, False, False]


def test_an_output_size_scales_the_motion(make: Callable[..., ConvertJob], images: Callable) -> None:
    fields = {"size": "192x128", "include": ("edge",)}
    smooth, plain = images(make("smooth", smooth=1, **fields)), images(make("plain", smooth=0, **fields))

    def change(found: dict[tuple[str, int, int], np.ndarray]) -> float:
        return float(np.mean([np.abs(found[k].astype(float) - found[k[0], k[1] - 1, 0]).mean() for k in found if k[1]]))

    assert change(smooth) < change(plain)


@pytest.mark.parametrize("value", [-0.1, 1.01, "much"])
def test_a_share_that_means_nothing_is_refused(make: Callable[..., ConvertJob], value: Any) -> None:
    with pytest.raises(ConfigError, match="smooth"):
        make(smooth=value)


def test_a_motion_is_inverted_where_surfaces_grow_and_cover_each_other() -> None:
    """A square of 4 px moves 6 px to the right over a ground that grows by a tenth."""
    y, x = np.mgrid[:40, :60].astype(np.float32)
    motion = np.stack([(x - 30) * 0.1, (y - 20) * 0.1], axis=2)
    motion[18:22, 28:32] = (6, 0)
    backward = invert_motion(motion)
    assert np.allclose(backward[19:21, 35:37], (-6, 0))
    ground = backward[5:12, 10:50]
    expected = np.stack([-(x - 30) / 11, -(y - 20) / 11], axis=2)[5:12, 10:50]
    assert np.isfinite(ground).all(axis=2).mean() > 0.95
    assert np.nanmax(np.abs(ground - expected)) < 0.05


def show(grey: int = 90, shape: tuple[int, int] = (32, 32), motion: tuple[float, float] = (0, 0)) -> Shown:
    flow = np.full((*shape, 2), motion, np.float32)
    return Shown(np.full((*shape, 3), grey, np.uint8), np.zeros(shape, np.uint8), flow)


def test_nothing_is_carried_over_a_border_of_the_label_or_a_change_of_the_render() -> None:
    rng = np.random.default_rng(0)
    image, before = rng.integers(0, 256, (2, 32, 32, 3), np.uint8)
    frames = [show(), show()]
    frames[1].classes[:, 16:] = 1
    smooth = blend(image, {-1: (before, find_paths(frames, 1)[-1])}, 1, 1)
    assert np.array_equal(smooth[:, 16:], image[:, 16:])
    assert not np.array_equal(smooth[:, :16], image[:, :16])
    frames = [show(), show()]
    frames[1].render[:, :14] += 150
    smooth = blend(image, {-1: (before, find_paths(frames, 1)[-1])}, 1, 1)
    assert np.array_equal(smooth[:, :12], image[:, :12])
    assert not np.array_equal(smooth[:, 16:], image[:, 16:])


def test_what_is_painted_beside_an_outline_is_not_left_behind_by_it() -> None:
    """A pole moves 4 px to the right in each frame, before a ground that stands still."""
    frames = [show(shape=(32, 64)) for _ in range(4)]
    for i, frame in enumerate(frames):
        frame.classes[:, 10 + 4 * i : 14 + 4 * i] = 1
        assert frame.motion is not None
        frame.motion[:, 10 + 4 * i : 14 + 4 * i] = (4, 0)
    weight = find_paths(frames, 3)[-2].weight
    beside_now, beside_then, far = weight[:, 29:31], weight[:, 11:13], weight[:, 45:]
    assert beside_then.max() == 0
    assert far.min() == 1
    assert beside_now.min() == 1
    assert weight[:, 23:25].min() > 0


def test_paths_lead_along_the_motion_of_every_frame_between() -> None:
    """The picture moves by 3 px to the right and 1 px down in each frame."""
    paths = find_paths([show(motion=(3, 1))] * 7, 3)
    y, x = np.mgrid[:32, :32]
    for offset in (-3, -2, -1, 1, 2, 3):
        places, weight = paths[offset].places, paths[offset].weight
        assert np.allclose(places[weight > 0], np.stack([x + 3 * offset, y + offset], axis=2)[weight > 0], atol=1e-4)
        left, right = (3 * offset, 32) if offset < 0 else (0, 32 - 3 * offset)
        inside = weight[8:24, max(0, -left) : right]
        assert (inside > 0).mean() > 0.9
        assert not weight[:, 32 - 3 * offset :].any() if offset > 0 else not weight[:, : -3 * offset].any()


def test_a_shadow_that_moves_over_the_ground_stays_where_each_image_has_it() -> None:
    """The model paints a dark spot 24 px farther in every image, on ground that stands still."""
    images = np.full((9, 48, 240, 3), 110, np.uint8)
    for i, image in enumerate(images):
        image[12:36, 24 * i + 2 : 24 * i + 22] = 40
    run = [show(shape=(48, 240))] * len(images)
    for i in range(3, 6):
        paths = find_paths(run[i - 3 : i + 4], 3)
        smooth = blend(images[i], {o: (images[i + o], path) for o, path in paths.items()}, i, 1)
        spots = [float(smooth[18:30, 24 * k + 8 : 24 * k + 16].mean()) for k in range(9)]
        assert spots[i] < 42
        assert min(spots[:i] + spots[i + 1 :]) > 108


def test_detail_in_which_images_differ_stays_and_changes_slowly() -> None:
    """Images of noise, of a scene that stands still: their mean would have a deviation of 0.38."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 48, 48, 3), np.uint8)
    run = [show(shape=(48, 48))] * len(images)
    smooth = []
    for i in range(3, 17):
        paths = find_paths(run[i - 3 : i + 4], 3)
        smooth.append(blend(images[i], {o: (images[i + o], path) for o, path in paths.items()}, i, 1))

    def measure_change(pictures: Sequence[np.ndarray]) -> float:
        return float(np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairwise(pictures)]))

    assert min(picture.std() for picture in smooth) > 0.75 * images.std()
    assert measure_change(smooth) < 0.35 * measure_change(images)
    assert all(abs(float(picture.mean()) - images.mean()) < 1 for picture in smooth)


def test_images_of_another_look_are_not_blended() -> None:
    rng = np.random.default_rng(0)
    still, road = np.zeros((16, 16, 2), np.float32), np.zeros((16, 16), np.uint8)
    grey = np.full((16, 16, 3), 90, np.uint8)
    frames = [
        DecodedFrame(FrameRef(f"s/{i}", "s", i, "train", "r", "l"), grey, b"", road, {}, {}, "", "", motion=still)
        for i in range(2)
    ]
    photos = rng.integers(0, 256, (2, 1, 16, 16, 3), np.uint8)
    images = [Translation(photo, np.zeros((1, 16, 16), np.uint8)) for photo in photos]
    look, other = (Look(np.zeros(5, np.float32), palette) for palette in (0, 1))
    window = SmoothingWindow(MotionSource(("flow",), "plain"), {"s": 1})
    window.move_to(frames[:1], frames[1:])

    def smooth(chosen: Look, neighbours: Look) -> np.ndarray:
        found = window.translate(
            frames[:1], [chosen], chosen.palette, lambda asked, _: [images[f.ref.frame_index] for f in asked],
            lambda _: neighbours,
        )  # fmt: skip
        return found.photo[0]

    assert not np.array_equal(smooth(look, look), photos[0, 0])
    assert np.array_equal(smooth(other, look), photos[0, 0])


def test_the_benchmark_makes_what_it_compares(
    dump_of_street: Path, appearance_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    av = pytest.importorskip("av")
    script = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "video.py"))
    made_of = [f"--bundle={appearance_bundle}", f"--dump={dump_of_street}", "--frames=5"]
    script["main"]([*made_of, f"--out={tmp_path / 'results'}", "--mp4"])
    found = json.loads((tmp_path / "results.json").read_text())
    names = ["rendered", "independent", "smooth 1", "shifts 2"]
    assert list(found) == names
    assert np.mean(found["smooth 1"]["errors"]) != np.mean(found["independent"]["errors"])
    table = capsys.readouterr().out
    assert all(f"| {name} |" in table for name in names)
    with av.open(str(tmp_path / "results.mp4")) as video:
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert [picture.shape for picture in pictures] == [(SIZE[1], 4 * SIZE[0], 3)] * 5


def test_inspect_names_the_flag_and_along_what(dump_of_street: Path, appearance_bundle: Path) -> None:
    from typer.testing import CliRunner

    from sflow_pipeline.cli.app import app

    arguments = ["inspect", str(dump_of_street), "--bundle", str(appearance_bundle)]
    text = " ".join(CliRunner().invoke(app, arguments, env={"COLUMNS": "200"}).output.split())
    assert "convert makes images steadier from frame to frame, along the dump's flow; --smooth 0 does not" in text
    for kind in ("flow", "occlusion"):
        for sequence in dump_of_street.glob("street_*"):
            shutil.rmtree(sequence / kind)
    text = " ".join(CliRunner().invoke(app, arguments, env={"COLUMNS": "200"}).output.split())
    assert "convert --smooth 1 makes images steadier from frame to frame, along the motion measured" in text
