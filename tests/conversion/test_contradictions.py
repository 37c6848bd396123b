"""Files that contradict each other: found by a look at a few frames, named, and refused or set aside."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from sflow_pipeline.cli.app import app
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.dump_checks.channel_order import judge_channel_order, measure_tints
from sflow_pipeline.conversion.dump_checks.label_contradictions import count_mixed
from sflow_pipeline.conversion.dump_checks.sampled_frame import SampledFrame
from sflow_pipeline.errors import DumpError, LabelSpaceError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.inspection.inspect_dump import inspect_dump
from sflow_pipeline.label_spaces import load_label_space

Convert = Callable[..., Any]
SKY, BUILDING, ROAD, CAR = 11, 3, 1, 14


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Six frames of a street with a car that moves to the right, in the plain layout."""
    for number in range(6):
        write_frame(tmp_path / "sim", number, draw_label(number))
    (tmp_path / "sim" / "dataset.yaml").write_text("label_space: carla-0.9.14\n")
    return tmp_path / "sim"


def draw_label(number: int) -> NDArray[np.uint8]:
    label = np.full((96, 192), BUILDING, np.uint8)
    label[:30], label[60:] = SKY, ROAD
    label[20:60, 150:] = SKY
    label[50:80, 20 * number + 5 : 20 * number + 45] = CAR
    return label


def draw_render(label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shades = np.zeros(256, np.uint8)
    shades[[SKY, BUILDING, ROAD, CAR]] = 220, 120, 60, 180
    noise = np.random.default_rng(0).integers(0, 4, (*label.shape, 3))
    return np.asarray(shades[label][..., None] + noise, np.uint8)


def write_frame(root: Path, number: int, label: NDArray[np.uint8], render: NDArray[np.uint8] | None = None) -> None:
    for folder, pixels in (("semantic", label), ("rgb", draw_render(label) if render is None else render)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(root / folder / f"{number:04d}.png"), pixels)


@pytest.fixture
def run(scenes: Path, random_bundle: Path, tmp_path: Path) -> Convert:
    def convert_scenes(**fields: Any) -> Any:
        places = {"sim_dir": str(scenes), "out_dir": str(tmp_path / "out"), "bundle": str(random_bundle)}
        return convert(build_job({**places, "workers": 1, "precision": "fp32", "max_bad_fraction": 0.5, **fields}))

    return convert_scenes


def test_a_sound_dump_has_no_contradictions(scenes: Path) -> None:
    found = inspect_dump(scenes)
    assert (found.problems, found.failure) == ((), "")


def test_a_black_picture_is_set_aside(scenes: Path, run: Convert) -> None:
    write_frame(scenes, 0, draw_label(0), np.zeros((96, 192, 3), np.uint8))
    summary = run()
    assert (summary.rows, summary.reasons) == (5, {"blank_render": 1})
    assert "rgb/0000.png" in summary.examples[0].message
    assert [problem.kind for problem in inspect_dump(scenes).problems] == ["blank_render"]


def test_a_label_without_a_class_is_set_aside(scenes: Path, run: Convert) -> None:
    write_frame(scenes, 2, np.zeros((96, 192), np.uint8), draw_render(draw_label(2)))
    assert run().reasons == {"void_label": 1}


def test_the_reason_of_a_half_empty_label_is_that_of_a_fresh_conversion_where_others_changed(
    scenes: Path, run: Convert, tmp_path: Path
) -> None:
    """It says how much of the other labels belongs to no class."""
    blank_lower_part(scenes, 1, 48)
    run(shard_frames=1, smooth=0)
    for number in (3, 4, 5):
        blank_lower_part(scenes, number, 85)
    reasons = "quarantine/reasons.txt"
    assert run(shard_frames=1, smooth=0).reasons == {"void_label": 1}
    grown = (tmp_path / "out" / reasons).read_text()
    shutil.rmtree(tmp_path / "out")
    run(shard_frames=1, smooth=0)
    assert "semantic/0001.png: 50%" in grown
    assert (tmp_path / "out" / reasons).read_text() == grown


def blank_lower_part(scenes: Path, number: int, rows: int) -> None:
    label = draw_label(number)
    write_frame(scenes, number, np.where(np.arange(96)[:, None] < rows, label, 0).astype(np.uint8), draw_render(label))


def test_a_half_empty_label_is_left_out(scenes: Path, run: Convert) -> None:
    blank_lower_part(scenes, 3, 48)
    (found,) = inspect_dump(scenes).problems
    assert (found.kind, found.paths, found.severity) == ("void_label", ("main/0003",), "error")
    assert "semantic/0003.png: 50% of its pixels belong to no class" in found.message
    summary = run()
    assert (summary.rows, summary.reasons) == (5, {"void_label": 1})
    assert "semantic/0003.png: 50%" in summary.examples[0].message
    assert run().frames_converted == 0  # the same frames again, and nothing to do
    assert run(max_frame_void=1).rows == 6
    assert inspect_dump(scenes, max_frame_void=1).problems == ()
    assert "void_label" in [problem.kind for problem in inspect_dump(scenes, max_frame_void=0.3).problems]


def test_labels_that_are_all_half_empty_are_kept(scenes: Path, run: Convert) -> None:
    """Objects before no background, or the recording vehicle in every picture."""
    for number in range(6):
        blank_lower_part(scenes, number, 40)
    assert inspect_dump(scenes).leaves_out is False
    assert run().rows == 6


def test_a_dump_that_grows_converts_the_new_half_empty_label_alone(scenes: Path, run: Convert) -> None:
    assert run(shard_frames=2).shards_converted >= 3
    write_frame(scenes, 6, draw_label(6))
    blank_lower_part(scenes, 7, 48)
    summary = run(shard_frames=2)
    assert (summary.rows, summary.reasons) == (7, {"void_label": 1})
    assert summary.shards_converted <= 2


def test_the_limit_on_bad_frames_names_frames_and_reasons(scenes: Path, run: Convert) -> None:
    for number in range(3):
        write_frame(scenes, number, draw_label(number), np.zeros((96, 192, 3), np.uint8))
    with pytest.raises(DumpError, match=r"3 of 6 frames.*blank_render: rgb/0000.png: one colour"):
        run(max_bad_fraction=0.1)
    assert "3 of 6 opened frames" in inspect_dump(scenes).failure


@pytest.mark.parametrize(("step", "where"), [(1, "one frame later"), (-1, "one frame earlier")])
def test_labels_of_the_next_moment_are_refused(scenes: Path, run: Convert, step: int, where: str) -> None:
    for number in range(6):
        write_frame(scenes, number, draw_label(number), draw_render(draw_label(number + step)))
    with pytest.raises(DumpError, match=where):
        run()
    assert "shifted_labels" in [problem.kind for problem in inspect_dump(scenes).problems]
    assert run(contradictions="ignore").rows == 6


def test_labels_of_another_camera_are_refused(scenes: Path, run: Convert) -> None:
    for number in range(6):
        behind = np.full((96, 192), BUILDING, np.uint8)
        behind[:45], behind[72:, 40:] = SKY, ROAD
        behind[40:90, 120 - 9 * number : 175 - 9 * number] = CAR
        write_frame(scenes, number, draw_label(number), draw_render(behind))
    with pytest.raises(DumpError, match="edges of pictures and labels do not agree"):
        run()
    assert run(contradictions="ignore").rows == 6


def test_colours_that_contradict_indices_are_refused_until_one_is_named(scenes: Path, run: Convert) -> None:
    colors = {0: (70, 130, 180), 1: (70, 70, 70), 2: (128, 64, 128), 3: (0, 0, 142)}  # CARLA's colours, ids of our own
    for number in range(6):
        index = np.select([draw_label(number) == i for i in (SKY, BUILDING, ROAD)], [0, 1, 2], 3).astype(np.uint8)
        image = Image.fromarray(index, "P")
        image.putpalette([value for color in colors.values() for value in color])
        image.save(scenes / "semantic" / f"{number:04d}.png")
    with pytest.raises(DumpError, match=r"semantic/0000.png: index 0 is unlabeled and has the colour of sky"):
        run()
    shares = {row.name: row.share for row in inspect_dump(scenes, label_encoding="palette").classes}
    assert shares["sky"] == pytest.approx(float((draw_label(0) == SKY).mean()), abs=0.05)
    assert run(label_encoding="palette").rows == 6


def add_instances(root: Path, broken: int) -> None:
    """A car and a pole-like building part as objects in every frame; ``broken`` frames show half of the car as wall."""
    (root / "instance").mkdir()
    for number in range(6):
        label = draw_label(number)
        instance = np.where(label == CAR, 7, 0).astype(np.uint16)
        instance[32:48, 100:104] = 9
        if number < broken:
            label[50:65][label[50:65] == CAR] = BUILDING
        write_frame(root, number, label)
        assert cv2.imwrite(str(root / "instance" / f"{number:04d}.png"), instance)


def test_one_object_of_several_classes_is_named(scenes: Path, run: Convert) -> None:
    add_instances(scenes, 1)
    problems = {problem.kind: problem for problem in inspect_dump(scenes).problems}
    assert "1 of 12 objects" in problems["mixed_objects"].message
    assert problems["mixed_objects"].paths == ("semantic/0000.png",)
    summary = run()
    assert summary.rows == 6 and any("1 of 12 objects" in warning for warning in summary.warnings)


def test_many_objects_of_several_classes_are_refused(scenes: Path, run: Convert) -> None:
    add_instances(scenes, 6)
    with pytest.raises(DumpError, match="6 of 12 objects are of several classes"):
        run()
    assert "6 of 12 objects" in inspect_dump(scenes).failure
    assert run(contradictions="ignore").rows == 6


def test_numbers_that_start_anew_for_every_class_are_no_contradiction() -> None:
    numbers, kinds = np.zeros((60, 60), np.int64), np.full((60, 60), 3)
    numbers[5:15, 5:15] = numbers[40:50, 40:50] = 1
    kinds[:30, :30], kinds[30:, 30:] = 1, 2
    assert count_mixed(numbers, kinds) == (1, 0)
    numbers[14:41, 10] = numbers[40, 10:41] = 1  # now it is one piece
    assert count_mixed(numbers, kinds) == (1, 1)


TREE = 9


@pytest.mark.parametrize("is_swapped", [False, True])
def test_red_and_blue_swapped(scenes: Path, run: Convert, is_swapped: bool) -> None:
    for number in range(6):
        label = draw_label(number)
        label[30:60, :60][label[30:60, :60] == BUILDING] = TREE
        render = cv2.cvtColor(draw_render(label), cv2.COLOR_RGB2BGR)
        render[label == SKY], render[label == TREE] = (230, 180, 120), (40, 110, 70)  # BGR
        write_frame(scenes, number, label, render[..., ::-1] if is_swapped else render)
    if not is_swapped:
        assert inspect_dump(scenes).failure == ""
        return
    with pytest.raises(DumpError, match=r"red and blue look swapped in 6 of 6 pictures.*rgb/0000\.png"):
        run()
    assert "swapped" in inspect_dump(scenes).failure
    assert run(contradictions="ignore").rows == 6


def test_an_orange_evening_is_no_swap() -> None:
    label = np.array([[10], [8]]).repeat(8, 0).repeat(8, 1)
    evening = np.where((label == 10)[..., None], (240, 150, 70), (50, 45, 40)).astype(np.uint8)
    tints = measure_tints(evening, label, load_label_space("cityscapes19"))
    frame = FrameRef("a/0", "a", 0, "train", "rgb/0.png", "semantic/0.png")
    assert judge_channel_order([SampledFrame(frame, label, tints, None, None, None)] * 6) == []


def test_the_palette_that_tools_write_by_default_says_nothing(scenes: Path) -> None:
    colors = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]  # PASCAL VOC's
    for number in range(6):
        index = np.select([draw_label(number) == i for i in (SKY, ROAD)], [1, 3], 2).astype(np.uint8)
        image = Image.fromarray(index, "P")
        image.putpalette([value for color in colors for value in color])
        image.save(scenes / "semantic" / f"{number:04d}.png")
    found = inspect_dump(scenes, label_space="camvid32")
    assert "contradicting_palette" not in [problem.kind for problem in found.problems]


def test_labels_of_one_class_are_not_taken_for_another_label_space(scenes: Path) -> None:
    for number in range(6):
        write_frame(scenes, number, np.full((96, 192), 2, np.uint8), draw_render(draw_label(number)))
    found = inspect_dump(scenes, label_space="cityscapes19")  # id 2 is sky in viper
    assert "doubtful_label_space" not in [problem.kind for problem in found.problems]


def test_unknown_ids_have_an_upper_bound_even_if_ignored(scenes: Path, run: Convert) -> None:
    for number in range(6):
        label = draw_label(number)
        label[label == SKY] = 77
        write_frame(scenes, number, label, draw_render(draw_label(number)))
    with pytest.raises(LabelSpaceError, match=r"over max_unknown_fraction 0\.1"):
        run(unknown_ids="ignore")
    summary = run(unknown_ids="ignore", max_unknown_fraction=0.6)
    assert any("the model has no class for" in warning for warning in summary.warnings)
    with pytest.raises(LabelSpaceError, match=r"over max_void_fraction 0\.2"):
        run(unknown_ids="ignore", max_unknown_fraction=0.6, max_void_fraction=0.2)


def inspect_exit_code(*words: str) -> int:
    return CliRunner().invoke(app, ["inspect", *words]).exit_code


def test_inspect_fails_where_a_conversion_would(scenes: Path) -> None:
    assert inspect_exit_code(str(scenes)) == 0
    for number in range(6):
        write_frame(scenes, number, draw_label(number), draw_render(draw_label(number + 1)))
    result = CliRunner().invoke(app, ["inspect", str(scenes)])
    assert result.exit_code == 1
    told = [line for line in result.output.splitlines() if "pictures agree better with the labels of one frame" in line]
    assert len(told) == 1 and told[0].startswith("convert would stop: ")
    assert told[0].endswith("or go on all the same with --contradictions ignore")
    assert inspect_exit_code(str(scenes), "--contradictions", "ignore") == 0


def test_inspect_knows_the_limits_of_a_conversion(scenes: Path, run: Convert) -> None:
    write_frame(scenes, 0, draw_label(0), np.zeros((96, 192, 3), np.uint8))
    with pytest.raises(DumpError, match="over max_bad_fraction 0:"):
        run(max_bad_fraction=0.0)
    assert "over max_bad_fraction 0" in inspect_dump(scenes, max_bad_fraction=0.0).failure
    assert run(max_bad_fraction=0.5).quarantined == 1
    assert inspect_dump(scenes, max_bad_fraction=0.5).failure == ""
    assert inspect_exit_code(str(scenes), "--max-bad-fraction", "0.5") == 3  # a frame is left out, as by convert
    label = draw_label(0)
    label[:2] = 77
    write_frame(scenes, 0, label, draw_render(label))
    assert "label ids 77 are not in label space" in inspect_dump(scenes).failure
    assert inspect_dump(scenes, unknown_ids="ignore").failure == ""
    assert "max_unknown_fraction" in inspect_dump(scenes, unknown_ids="ignore", max_unknown_fraction=0.001).failure
    assert "max_void_fraction" in inspect_dump(scenes, unknown_ids="ignore", max_void_fraction=0.001).failure


def test_inspect_opens_every_file_of_a_frame(scenes: Path, run: Convert) -> None:
    (scenes / "depth").mkdir()
    for number in range(6):
        depth = np.full((96, 192), np.nan if number == 4 else 9, np.float32)
        np.save(scenes / "depth" / f"{number:04d}.npy", depth)
    assert run().reasons == {"nan_depth": 1}
    (found,) = inspect_dump(scenes).problems
    assert (found.kind, found.paths, found.severity) == ("nan_depth", ("main/0004",), "error")
    assert inspect_exit_code(str(scenes)) == 3


def test_ids_that_only_a_rule_makes_are_refused_by_both(tmp_path: Path, random_bundle: Path) -> None:
    (derived,) = (item.id for item in load_label_space("carla-0.9.9").classes if item.name == "sky")
    for number in range(3):
        label = np.full((96, 192), derived, np.uint8)
        label[50:] = 7
        write_frame(tmp_path / "sim", number, label, draw_render(draw_label(number)))
    places = {"sim_dir": str(tmp_path / "sim"), "out_dir": str(tmp_path / "out"), "bundle": str(random_bundle)}
    with pytest.raises(LabelSpaceError, match=f"label ids {derived} are not in"):
        convert(build_job({**places, "label_space": "carla-0.9.9", "workers": 1}))
    assert f"label ids {derived} are not in" in inspect_dump(tmp_path / "sim", label_space="carla-0.9.9").failure


@pytest.mark.parametrize(("columns", "is_refused"), [(40, True), (1, False)])
def test_a_colour_of_two_classes_that_mean_different_things(
    scenes: Path, run: Convert, columns: int, is_refused: bool
) -> None:
    (scenes / "mine.yaml").write_text(
        "name: mine\nversion: 1\nclasses:\n"
        "- {id: 1, name: road, concepts: [flat.road], color: [90, 90, 90]}\n"
        "- {id: 2, name: tower, concepts: [construction.building], color: [200, 90, 90]}\n"
        "- {id: 3, name: wall, concepts: [construction.wall], color: [9, 9, 9]}\n"
        "- {id: 4, name: car, concepts: [vehicle.car], color: [9, 9, 9]}\n"
    )
    (scenes / "dataset.yaml").write_text("label_space: mine.yaml\nlabel_encoding: palette\n")
    for number in range(6):
        label = np.full((96, 192, 3), 90, np.uint8)
        label[:40, :, 2] = 200
        label[30:60, 20 : 20 + columns] = 9
        write_frame(scenes, number, label, np.asarray(label // 2 + 40 + np.arange(3), np.uint8))
    found = {problem.kind: problem for problem in inspect_dump(scenes).problems}["shared_color"]
    assert "wall and car have the same colour (9, 9, 9)" in found.message
    assert found.severity == ("error" if is_refused else "warning")
    if is_refused:
        with pytest.raises(DumpError, match="wall and car"):
            run()
    assert run(contradictions="ignore").rows == 6


def test_labels_that_were_resized_like_pictures_are_refused(scenes: Path, run: Convert) -> None:
    for number in range(6):
        label = draw_label(number)
        small = cv2.resize(label, (95, 47), interpolation=cv2.INTER_AREA)
        write_frame(scenes, number, np.asarray(cv2.resize(small, (192, 96))), draw_render(label))
    with pytest.raises(DumpError, match="resized like pictures"):
        run(unknown_ids="ignore", max_unknown_fraction=1)
    assert "blended_labels" in [problem.kind for problem in inspect_dump(scenes, unknown_ids="ignore").problems]


def test_labels_of_thin_things_are_not_taken_for_resized_ones(scenes: Path) -> None:
    for number in range(6):
        label = draw_label(number)
        label[10:70, 3::6] = 6  # poles, one pixel wide
        write_frame(scenes, number, label)
    assert "blended_labels" not in [problem.kind for problem in inspect_dump(scenes).problems]


def test_a_picture_that_stands_still_is_refused(scenes: Path, run: Convert) -> None:
    for number in range(6):
        write_frame(scenes, number, draw_label(number), draw_render(draw_label(0)))
    with pytest.raises(DumpError, match=r"6 of 6 frames .* the same picture and other labels"):
        run()
    assert run(contradictions="ignore").rows == 6


def test_a_label_that_stands_still_is_told(scenes: Path, run: Convert) -> None:
    """It is right where nothing but the light changes."""
    for number in range(6):
        write_frame(scenes, number, draw_label(2), np.asarray(draw_render(draw_label(2)) // 2 + 9 * number, np.uint8))
    assert [problem.kind for problem in inspect_dump(scenes).problems] == ["frozen_labels"]
    assert run().rows == 6


@pytest.mark.parametrize(
    ("picture", "truth"),
    [
        ("training/image_2/{}_10.png", "training/semantic/{}_10.png"),
        ("leftImg8bit/train/x/x_000000_{}_leftImg8bit.png", "gtFine/train/x/x_000000_{}_gtFine_labelIds.png"),
    ],
)
def test_labels_of_another_simulator_under_the_names_of_a_published_set(
    scenes: Path, run: Convert, picture: str, truth: str
) -> None:
    shutil.rmtree(scenes)
    for number in range(6):
        label = draw_label(number)
        for pattern, pixels in ((picture, draw_render(label)), (truth, label)):
            path = scenes / pattern.format(f"{number:06d}")
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), pixels)
    with pytest.raises(DumpError, match=r"no sky .* --label-space carla-0\.9\.14"):
        run()
    assert run(label_space="carla-0.9.14").rows == 6
