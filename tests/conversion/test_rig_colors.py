"""Class colours are measured once per drive: on the same few frames for all of its frames and cameras."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.config.job import ConvertJob, build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.job.resolve_job import resolve_job
from sflow_pipeline.conversion.painting.rig_colors import RigColors
from sflow_pipeline.storage import image_codec

CLASSES = 12


@pytest.fixture
def dump(tmp_path: Path) -> Any:
    """Two cameras of a drive, five frames each, and a drive of one frame."""
    from tests.conversion.conftest import PlainDump

    made = PlainDump(tmp_path / "sim")
    for sequence, frames in (("drive/left", 5), ("drive/right", 5), ("alone", 1)):
        for frame in range(frames):
            made.add_frame(sequence, frame)
    made.write("dataset.yaml", b"label_space: camvid11\n")
    return made


@pytest.fixture
def make(dump: Any, appearance_bundle: Path, tmp_path: Path) -> Callable[..., ConvertJob]:
    def build(**fields: Any) -> ConvertJob:
        fixed = {"sim_dir": str(dump.root), "out_dir": str(tmp_path / "out"), "bundle": str(appearance_bundle)}
        return build_job(
            {**fixed, "workers": 1, "precision": "fp32", "gate": "off", "contradictions": "ignore", **fields}
        )

    return build


def read(root: Path, sequence: str, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Picture (RGB) and class channels, by OpenCV alone."""
    picture = cv2.imread(str(root / sequence / "rgb" / f"{frame:04}.png"))
    label = cv2.imread(str(root / sequence / "semantic" / f"{frame:04}.png"), cv2.IMREAD_UNCHANGED)
    assert picture is not None and label is not None
    return np.ascontiguousarray(picture[..., ::-1]), label


def test_all_frames_and_cameras_are_moved_from_the_same_colours(
    make: Callable[..., ConvertJob], dump: Any, appearance_bundle: Path, read_dataset: Callable
) -> None:
    job = make(photo_colors=0.8)
    assert convert(job).status == "clean"
    # In order of number and camera, the first, second, fourth and eighth.
    measured = [
        read(dump.root, f"drive/{camera}", frame)
        for camera, frame in (("left", 0), ("right", 0), ("right", 1), ("right", 3))
    ]
    pixels = np.concatenate([picture.reshape(-1, 3) for picture, _ in measured]).astype(float)
    classes = np.concatenate([label.ravel() for _, label in measured])
    table = np.zeros((1, CLASSES, 4), np.float32)
    for channel in np.unique(classes):
        table[0, channel] = (*pixels[classes == channel].mean(axis=0), (classes == channel).mean())
    translator = Translator(load_bundle(appearance_bundle), "cpu", "fp32")
    for row in read_dataset(job.out_dir):
        picture, label = read(dump.root, row["sequence_id"], row["frame_index"])
        expected = translator.translate(
            label[None],
            picture[None],
            np.array([row["alpha"]], np.float32),
            palette=np.array([row["palette"]]),
            appearance=np.array([row["appearance"]], np.float32),
            photo_colors=np.array([row["photo_colors"]], np.float32),
            class_colors=None if row["sequence_id"] == "alone" else table,
        ).photo[0]
        image = image_codec.decode_rgb(row["image"]["bytes"], name="image")
        assert np.abs(image.astype(int) - expected).max() <= 1, row["sample_id"]


def test_a_class_that_was_not_measured_has_the_frames_own_colour(appearance_bundle: Path) -> None:
    translator = Translator(load_bundle(appearance_bundle), "cpu", "fp32")
    rng = np.random.default_rng(0)
    given = rng.integers(0, 3, (1, 32, 48)).astype(np.uint8), rng.integers(0, 256, (1, 32, 48, 3), np.uint8)
    looks = {"appearance": np.ones(1, np.float32), "photo_colors": np.full(1, 0.8, np.float32)}
    alpha = np.full((1, 5), 0.2, np.float32)
    own = translator.translate(*given, alpha, **looks).photo
    none = translator.translate(*given, alpha, **looks, class_colors=np.zeros((1, CLASSES, 4), np.float32)).photo
    other = np.zeros((1, CLASSES, 4), np.float32)
    other[0, 1] = (250, 10, 10, 0.4)
    assert np.array_equal(own, none)
    assert not np.array_equal(own, translator.translate(*given, alpha, **looks, class_colors=other).photo)


def test_a_drive_that_grows_keeps_its_shards_and_a_measured_frame_that_changes_does_not(
    make: Callable[..., ConvertJob], dump: Any
) -> None:
    for frame in range(5, 12):
        dump.add_frame("drive/left", frame)
    job = make(shard_frames=4)
    shards = convert(job).shards_converted
    dump.add_frame("drive/left", 12)
    grown = convert(job)
    assert grown.shards_kept >= shards - 2
    dump.add_frame("drive/left", 0, salt="again")
    changed = convert(job)
    assert changed.shards_kept == 0
    assert convert(job).shards_converted == 0


def test_bytes_do_not_depend_on_the_cut_of_shards(
    make: Callable[..., ConvertJob], read_dataset: Callable, tmp_path: Path
) -> None:
    found = []
    for name, frames in (("a", 512), ("b", 2)):
        job = make(out_dir=str(tmp_path / name), shard_frames=frames, variants=2)
        assert convert(job).status == "clean"
        found.append({(r["sample_id"], r["variant"]): r["image"]["bytes"] for r in read_dataset(job.out_dir)})
    assert found[0] == found[1]


def test_a_measured_frame_that_cannot_be_read_is_left_out_of_the_measurement(
    make: Callable[..., ConvertJob], dump: Any
) -> None:
    dump.write("drive/left/rgb/0000.png", b"no picture")
    summary = convert(make(max_bad_fraction=0.5))
    assert (summary.rows, summary.quarantined) == (10, 1)


def test_frames_that_end_their_process_are_not_decoded_to_measure_them(make: Callable[..., ConvertJob]) -> None:
    resolved = resolve_job(make())
    samples = {rig: found for task in resolved.tasks for rig, found in task.samples.items()}
    assert samples.keys() == {"drive"}
    killers = frozenset(frame.ref.sample_id for frame in samples["drive"])

    def find(left_out: frozenset[str]) -> object:
        return RigColors(samples, resolved.settings, left_out).find("drive/left", 0, lambda frame: frame.render)

    assert find(killers) is None
    assert find(frozenset()) is not None
