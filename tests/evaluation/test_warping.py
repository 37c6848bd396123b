"""Warping errors of drawn streets, against OpenCV's remapping; gaps, sizes, single frames, and flow that is wrong."""

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from sflow_pipeline.errors import FrameError, UsageError
from sflow_pipeline.evaluation.evaluate import EvaluationSettings, evaluate
from sflow_pipeline.evaluation.reference_networks.kinds import load_network_spec
from sflow_pipeline.evaluation.results.scores import TableRow
from sflow_pipeline.street import StreetSequence


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A street of four frames, 128x96, in the camera look."""
    from sflow_pipeline.street.write_dump import write_sample_dump

    write_sample_dump(tmp_path / "sim", sequences=1, frames=4, size=(128, 96), seed=4, look="camera", workers=1)
    return tmp_path / "sim"


def measure(path: Path, **settings: object) -> TableRow:
    """The row of a folder of pictures with labels, measured as if it were the real photos."""
    fields = {"paths": (), "reference": str(path), "video": True, "device": "cpu"} | settings
    return evaluate(EvaluationSettings(**fields)).rows[0]  # type: ignore[arg-type]


def remap(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    x = np.arange(width, dtype=np.float32) + flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]
    return cv2.remap(picture.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def rewrite_flow(dump: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Replace every flow file by an array."""
    for path in sorted(dump.glob("*/flow/*.png")):
        samples = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert samples is not None
        flow = (samples[..., :0:-1].astype(np.float32) - 32768) / 64
        np.save(path.with_suffix(".npy"), change(flow))
        path.unlink()


def test_error_along_the_simulators_flow_is_that_of_opencvs_remapping(dump: Path) -> None:
    street = StreetSequence(seed=4, sequence_index=0, frames=4, size=(128, 96), look="camera")
    frames = list(street.render_frames())
    errors = [
        np.abs(a.render.astype(np.float32) - remap(b.render, a.flow)).mean(axis=2)[~a.occluded].mean()
        for a, b in pairwise(frames)
    ]
    score = measure(dump).scores["warping_error_simulator"]
    assert score.value == pytest.approx(np.mean(errors), rel=0.03)
    assert score.n == 3


def test_flicker_on_still_pictures_is_measured_in_grey_levels(dump: Path) -> None:
    shutil.rmtree(dump / "street_0000" / "flow")
    first = cv2.imread(str(dump / "street_0000" / "rgb" / "000000.png"))
    assert first is not None
    first = first.clip(20, 200)
    for number in range(4):
        cv2.imwrite(str(dump / "street_0000" / "rgb" / f"{number:06d}.png"), first + np.uint8(8 * (number % 2)))
    scores = measure(dump).scores
    assert scores["warping_error_classical"].value == pytest.approx(8, abs=0.5)
    assert "warping_error_simulator" not in scores


def test_converted_images_stand_beside_their_rendered_frames(
    convert_streets: Callable[..., Path], street_dump: Path
) -> None:
    dataset = convert_streets(gate="off")
    (row, _) = evaluate(
        EvaluationSettings(paths=(str(dataset),), reference=str(street_dump), video=True, device="cpu")
    ).rows
    rendered = measure(street_dump)
    for kind in ("classical", "simulator"):
        ratio, own = row.scores[f"warping_ratio_{kind}"], rendered.scores[f"warping_error_{kind}"]
        assert ratio.details["rendered"] == pytest.approx(own.value)
        assert ratio.value == pytest.approx(row.scores[f"warping_error_{kind}"].value / own.value)  # type: ignore[operator]
        assert ratio.n == 6


def test_gaps_are_left_out_and_counted(dump: Path) -> None:
    for path in dump.glob("street_0000/*/000002.*"):
        path.unlink()
    score = measure(dump).scores["warping_error_simulator"]
    assert score.n == 1
    assert "1 gaps" in score.note


def test_one_frame_has_no_error_and_the_reason(dump: Path) -> None:
    score = measure(dump, limit=1).scores["warping_error_classical"]
    assert score.value is None
    assert "no two consecutive frames" in score.note


def test_pairs_of_different_sizes_are_left_out_and_counted(dump: Path) -> None:
    for kind in ("rgb", "semantic", "flow", "occlusion", "instance", "depth"):
        path = dump / "street_0000" / kind / "000003.png"
        plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert plane is not None
        cv2.imwrite(str(path), plane[::2, ::2])
    score = measure(dump).scores["warping_error_classical"]
    assert score.n == 2
    assert "1 pairs of different sizes" in score.note


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda flow: -flow, "signs are reversed"),
        (lambda flow: flow[..., ::-1], "x and y are exchanged"),
        (lambda flow: flow / np.array([128, 96]), "unit is the picture's width and height"),
    ],
)
def test_flow_of_another_direction_or_unit_is_refused(
    change: Callable[[np.ndarray], np.ndarray], text: str, dump: Path
) -> None:
    rewrite_flow(dump, change)
    with pytest.raises(UsageError, match=text):
        measure(dump)


def test_right_flow_with_values_that_are_not_finite_is_accepted(dump: Path) -> None:
    before = measure(dump).scores["warping_error_simulator"].value

    def spoil(flow: np.ndarray) -> np.ndarray:
        flow[:20, :20] = np.nan
        flow[30, 30] = np.inf
        return flow

    rewrite_flow(dump, spoil)
    assert measure(dump).scores["warping_error_simulator"].value == pytest.approx(before, rel=0.3)


def test_flow_of_another_size_is_refused(dump: Path) -> None:
    rewrite_flow(dump, lambda flow: flow[::2])
    with pytest.raises(FrameError, match="128x48 px, its picture has 128x96"):
        measure(dump)


def test_something_has_to_be_measured(dump: Path) -> None:
    with pytest.raises(UsageError, match="nothing to measure") as caught:
        measure(dump, video=False)
    assert "--video" in caught.value.hint


def test_frames_numbered_in_steps_are_consecutive(dump: Path) -> None:
    for path in sorted(dump.glob("street_0000/*/*"), reverse=True):
        path.rename(path.with_name(f"{2 * int(path.stem):06d}{path.suffix}"))
    assert yaml.safe_load((dump / "dataset.yaml").read_text())["fps"] == 10
    assert measure(dump).scores["warping_error_simulator"].n == 3


def test_frame_distance_and_clips_follow_from_mean_colours(dump: Path, extractor_file: Path, tmp_path: Path) -> None:
    """The extractor is the mean colour: distances between frames can be computed by hand."""
    spec = load_network_spec(extractor_file, what="extractor")
    frames = 9
    for name, step in (("calm", 2), ("nervous", 10)):
        folder = tmp_path / name / "a"
        for kind in ("rgb", "semantic"):
            (folder / kind).mkdir(parents=True)
        (tmp_path / name / "dataset.yaml").write_text("label_space: camvid11\n")
        for i in range(frames):
            picture = np.full((48, 64, 3), 100 + step * (i % 2), np.uint8)
            cv2.imwrite(str(folder / "rgb" / f"{i:03d}.png"), picture)
            cv2.imwrite(str(folder / "semantic" / f"{i:03d}.png"), np.zeros((48, 64), np.uint8))
    settings = EvaluationSettings(
        (str(tmp_path / "nervous"),), str(tmp_path / "calm"), extractor=spec, video=True, device="cpu"
    )
    nervous, calm = evaluate(settings).rows
    name = spec.name
    unit = calm.scores[f"frame_distance_{name}"].value / (2 * np.sqrt(3))  # type: ignore[operator]
    assert nervous.scores[f"frame_distance_{name}"].value == pytest.approx(10 * np.sqrt(3) * unit, rel=1e-3)
    # Two clips of each: means differ by 4, changes by 8, in each of three channels; all clips of a set are alike.
    expected = 3 * ((4 * unit) ** 2 + (8 * unit) ** 2)
    clips = nervous.scores[f"clip_frechet_{name}"]
    assert clips.value == pytest.approx(expected, rel=1e-3)
    assert "2 clips of 4 frames against 2 real ones" in clips.note


def test_consecutive_frames_are_measured_alone(dump: Path, extractor_file: Path, run: Callable[..., Any]) -> None:
    description = extractor_file.with_name(f"{extractor_file.name}.yaml")
    flags = ("--reference", dump, "--extractor", description, "--renders", "--device", "cpu", "--json")
    code, text, _ = run(dump, *flags, "--only", "video")
    assert code == 0
    alone = json.loads(text)
    _, text, _ = run(dump, *flags, "--video", "--judge", "none")
    together = json.loads(text)
    names = [set(found["rows"][0]["scores"]) for found in (alone, together)]
    video = {"warping_error_classical", "warping_error_simulator", "frame_distance_rgb3", "clip_frechet_rgb3"}
    assert names[0] == video
    assert names[1] > video
    assert all(alone["rows"][0]["scores"][name] == together["rows"][0]["scores"][name] for name in video)
    assert "judge" not in alone["protocol"]


def test_only_names_video_and_excludes_what_measures_single_pictures(dump: Path, run: Callable[..., Any]) -> None:
    code, _, error = run(dump, "--reference", dump, "--only", "edges")
    assert code != 0
    assert "--only edges: there is video alone" in error
    code, _, error = run(dump, "--reference", dump, "--only", "video", "--edges")
    assert code != 0
    assert "--only video with --edges" in error
