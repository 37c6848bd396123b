"""What people complain about most, and the sentence that each of them reads."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import plan_conversion
from sflow_pipeline.errors import DumpError, LabelSpaceError
from sflow_pipeline.inspection.inspect_dump import inspect_dump
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.simulators import discover

MakeLayout = Callable[[str], Path]
LoadLayout = Callable[[str], ModuleType]


def complaints(root: Path, label_space: str | None = None) -> dict[str, str]:
    """Kind of problem -> what ``inspect`` says."""
    return {problem.kind: problem.message for problem in inspect_dump(str(root), label_space=label_space).problems}


def write_plain(root: Path, label: np.ndarray, encoding: str = "ids") -> Path:
    """One frame of the plain layout; ``label`` is (h, w) ids or (h, w, 3) RGB."""
    render = np.random.default_rng(0).integers(0, 256, (*label.shape[:2], 3), np.uint8)
    for folder, pixels in (("rgb", render), ("semantic", label)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(root / folder / "0000.png"), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    (root / "dataset.yaml").write_text(f"label_space: cityscapes34\nlabel_encoding: {encoding}\n")
    return root


def draw_city() -> np.ndarray:
    """Sky, road and a car in Cityscapes colours, (48, 64, 3) RGB."""
    colors = {c.name: c.color for c in load_label_space("cityscapes34").classes}
    rgb = np.zeros((48, 64, 3), np.uint8)
    rgb[:] = colors["sky"]
    cv2.fillPoly(rgb, [np.array([[0, 40], [63, 20], [63, 47], [0, 47]])], colors["road"])
    cv2.circle(rgb, (30, 30), 9, colors["car"], -1)
    return rgb


def test_coloured_masks_taken_for_ids(tmp_path: Path) -> None:
    assert complaints(write_plain(tmp_path, draw_city())) == {
        "wrong_label_depth": "1 of the opened frames cannot be converted (wrong_label_depth), first semantic/0000.png: "
        "3-channel colour where one channel of class ids was expected; state how ids are stored, with "
        "--label-encoding or as label_encoding in dataset.yaml: red_channel (CARLA raw tags), rgb_ids (R + 256 * G + "
        "65536 * B) or palette (class colours)"
    }


def test_ids_taken_for_colours(tmp_path: Path) -> None:
    told = complaints(write_plain(tmp_path, np.full((48, 64), 7, np.uint8), "palette"))
    assert "8-bit grey, class colours were expected; state label_encoding ids" in told["wrong_label_depth"]


def test_synthia_labels_that_lost_their_16_bits(make_layout: MakeLayout) -> None:
    root = make_layout("synthia")
    for path in (root / "GT" / "LABELS").iterdir():
        assert cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_COLOR))  # as an 8-bit reader sees it
    assert complaints(root)["lost_16_bits"] == (
        "labels have 8 bits where SYNTHIA writes 16, their ids may be gone: GT/LABELS/0000000.png; "
        "copy the original GT/LABELS"
    )


def test_carla_tags_of_another_version_than_asked_for(make_layout: MakeLayout) -> None:
    told = complaints(make_layout("carla"), label_space="carla-0.9.13")["label_space_doubted"]
    assert told.startswith("the label space that was asked for may be the wrong one: Town01/sensor.camera.semantic")
    assert "carla-0.9.13 was asked for, the labels look like tags in the red channel of CARLA 0.9.14 or newer" in told
    assert told.endswith("; leave --label-space out to take the other")


def test_carla_versions_mixed_in_one_dump(make_carla: Callable[..., Path]) -> None:
    root = make_carla(0, 1, 7, frames=2)
    old = [path.read_bytes() for path in sorted((root / "CameraSeg").iterdir())]
    make_carla(11, 3, 1, frames=6)
    for index, data in enumerate(old):
        (root / "CameraSeg" / f"{index}.png").write_bytes(data)
    told = {problem.kind: problem.message for problem in discover(str(root), label_space="carla-0.9.14").problems}
    assert "of 6 labels that were opened, 2 of carla-0.9.9, 4 of carla-0.9.14" in told["mixed_versions"]
    assert "convert them one by one, each with its --label-space" in told["mixed_versions"]


def test_no_genuine_recording_is_called_mixed(shared_data: Path) -> None:
    for name in ("carla-lyft-nikolasent", "carla-nikos134", "carla-scapes"):
        kinds = {problem.kind for problem in discover(str(shared_data / name)).problems}
        assert not kinds & {"mixed_versions", "label_space_doubted"}, name


def test_gta_labels_stored_in_two_ways(make_layout: MakeLayout) -> None:
    root = make_layout("gta")
    path = root / "labels" / "00002.png"
    assert cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_COLOR))
    (root / "labels" / "00003.png").write_bytes((root / "labels" / "00001.png").read_bytes())
    (root / "images" / "00003.png").write_bytes((root / "images" / "00001.png").read_bytes())
    assert complaints(root)["mixed_labels"] == (
        "labels are stored in more than one way: labels/00002.png (colour, where most are indexed); store all of them "
        "as most are, the others will not convert"
    )


def test_gta_colours_saved_with_red_and_blue_swapped(make_layout: MakeLayout) -> None:
    root = make_layout("gta")
    for path in (root / "labels").iterdir():
        assert cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1])
    assert "red and blue are swapped, as when a program that reads BGR saves RGB" in complaints(root)["unknown_color"]


def test_gta_pairs_of_different_sizes(make_layout: MakeLayout, load_layout: LoadLayout) -> None:
    root, gta = make_layout("gta"), load_layout("gta")
    (root / "labels" / "00002.png").write_bytes(gta.indexed_png(gta.label_map((28, 32))))
    assert complaints(root) == {
        "size_mismatch": "1 of the opened frames cannot be converted (size_mismatch), first labels/00002.png: 28x32 "
        "pixels, its picture images/00002.png has 32x32; render every file of a frame at the same size"
    }


@pytest.mark.parametrize("name", ["0000.png", "0000.jpg"])
def test_labels_saved_as_jpeg(tmp_path: Path, name: str) -> None:
    root = write_plain(tmp_path, np.full((48, 64), 7, np.uint8))
    (root / "semantic" / "0000.png").unlink()
    (root / "semantic" / name).write_bytes(cv2.imencode(".jpg", np.full((48, 64), 7, np.uint8))[1].tobytes())
    assert complaints(root)["jpeg_label"].endswith(
        f"first semantic/{name}: a JPEG file, whose compression changes class ids; write labels as PNG"
    )


def test_colours_blended_at_borders(tmp_path: Path, random_bundle: Path) -> None:
    blended = cv2.resize(draw_city(), (41, 31), interpolation=cv2.INTER_AREA)
    root = write_plain(tmp_path / "dump", blended, "palette")
    told = complaints(root)["unknown_color"]
    assert "colours of no class: (" in told
    assert "drawn with anti-aliasing, or resized with interpolation" in told
    fields = {"sim_dir": str(root), "out_dir": str(tmp_path / "out"), "bundle": str(random_bundle)}
    with pytest.raises(LabelSpaceError) as caught:
        plan_conversion(build_job(fields))
    assert "a colour of no class" in caught.value.message
    assert "semantic/0000.png has" in caught.value.message
    assert "drawn with anti-aliasing" in caught.value.message
    assert "--unknown-ids ignore" in caught.value.hint
    assert plan_conversion(build_job({**fields, "unknown_ids": "ignore"}))


def test_a_dump_that_two_adapters_recognise(make_layout: MakeLayout, load_layout: LoadLayout) -> None:
    root = make_layout("gta")
    load_layout("kitti").write(root)
    with pytest.raises(DumpError) as caught:
        discover(str(root))
    assert caught.value.message == (
        f"dump {root}: could be more than one thing: gta (images/00001.png and labels/00001.png); "
        "kitti (training/image_2/000000_10.png and training/semantic/000000_10.png)"
    )
    assert caught.value.hint == "choose with --simulator gta or --simulator kitti"


def test_half_a_dump(make_layout: MakeLayout) -> None:
    root = make_layout("gta")
    (root / "labels" / "00001.png").unlink()
    assert complaints(root) == {
        "missing_label": "1 pictures without a label were left out: images/00001.png; add the labels or remove the "
        "pictures"
    }


def test_pictures_alone(make_tree: Callable[[list[str]], Path]) -> None:
    with pytest.raises(DumpError) as caught:
        discover(str(make_tree(["images/00001.png", "images/00002.png"])))
    assert "no known layout" in caught.value.message
    assert "gta: images/00001.png beside labels/00001.png (Playing for Data)" in caught.value.message
