"""Proposed layouts: what a simulator writes beside its pictures is never proposed as the picture or as class labels."""

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sflow_pipeline.errors import DumpError
from sflow_pipeline.simulators import discover
from sflow_pipeline.simulators.layout_proposal import propose_layout

FRAMES = 3
WriteKinds = Callable[[Mapping[str, str]], str]


@pytest.fixture
def write_kinds(tmp_path: Path) -> WriteKinds:
    """Writes frames, each kind of file at its pattern, and returns the dump's folder."""

    def write(patterns: Mapping[str, str]) -> str:
        for number in range(FRAMES):
            for kind, pixels in draw_kinds(number).items():
                if kind in patterns:
                    path = tmp_path / "dump" / patterns[kind].format(number=number)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    assert cv2.imwrite(str(path), pixels)
        return str(tmp_path / "dump")

    return write


def draw_kinds(number: int) -> dict[str, NDArray[np.generic]]:
    """What a simulator may write of one street, in OpenCV's order of channels."""
    rng = np.random.default_rng(number)
    height, width = 60, 90
    label = np.full((height, width), 3, np.uint8)
    label[:24], label[40:] = 11, 1
    label[35:45, 10 * number : 10 * number + 20] = 14
    rows, columns = np.mgrid[:height, :width]
    angle = np.hypot(rows, columns) / 20 + number
    vectors = np.stack([np.cos(angle) * 0.6, np.sin(angle) * 0.6, np.full_like(angle, 0.8)], axis=2)
    motion = rng.integers(32000, 33500, (height, width, 3)).astype(np.uint16)
    motion[..., 0] = 1
    return {
        "render": (rng.integers(0, 60, (height, width, 3)) + label[..., None] * 12).astype(np.uint8),
        "label": label,
        "flow": motion,
        "flow_wheel": cv2.cvtColor(
            np.dstack([(angle * 20 % 180).astype(np.uint8), np.full_like(label, 255), (columns * 2).astype(np.uint8)]),
            cv2.COLOR_HSV2BGR,
        ),
        "normal": ((vectors + 1) * 127.5).round().astype(np.uint8),
        "depth": (rows * 4 % 256).astype(np.uint8),
        "depth_colors": cv2.applyColorMap((rows * 4 % 256).astype(np.uint8), cv2.COLORMAP_JET)
        + rng.integers(0, 2, (height, width, 3)).astype(np.uint8),
        "instance": np.where(label == 14, 14000 + number, label).astype(np.uint16),
        "instance_colors": (rng.integers(0, 256, (height, width, 3)) * (label == 14)[..., None]).astype(np.uint8),
        "occlusion": np.where(rng.random((height, width)) < 0.1, 255, 0).astype(np.uint8),
    }


@pytest.mark.parametrize(
    "patterns",
    [
        {"label": "street/semantic/{number:04d}.png", "flow": "street/flow/{number:04d}.png"},
        {"label": "ids/{number}.png", "flow": "vectors/{number}.png"},
        {"label": "seg/{number}.png", "flow_wheel": "OpticalFlow/{number}.png"},
        {"label": "seg_{number}.png", "flow_wheel": "flow_rgb_{number}.png", "depth_colors": "depth_{number}.png"},
        {"label": "out/{number}_label.png", "normal": "out/{number}_normals.png", "depth": "out/{number}_depth.png"},
        {"label": "truth/{number}.png", "normal": "pass3/{number}.png"},
        {"label": "a/semantic/{number}.png", "depth_colors": "a/disparity/{number}.png"},
        {
            "label": "semantic/{number}.png",
            "instance_colors": "InstanceMap/{number}.png",
            "flow": "motion/{number}.png",
        },
        {"label": "semantic/{number}.png", "render": "semantic_rgb/{number}.png"},
    ],
    ids=lambda patterns: "+".join(patterns.values()),
)
def test_nothing_but_pictures_is_proposed_as_the_render(write_kinds: WriteKinds, patterns: Mapping[str, str]) -> None:
    proposal = propose_layout(write_kinds(patterns))
    assert "render" not in proposal.layout and "render=" not in proposal.hint.replace("render=…", "")


@pytest.mark.parametrize(
    ("render", "others"),
    [
        ("street/view/{frame}.png", {"flow": "street/flow/{number}.png", "normal": "street/normal/{number}.png"}),
        ("flow_study/shots/{frame}.png", {"flow_wheel": "flow_study/flow/{number}.png"}),
        (
            "depth_{frame}_rgb.png",
            {"depth_colors": "depth_{number}_disparity.png", "instance_colors": "depth_{number}_inst.png"},
        ),
        ("x/{frame}.png", {"depth": "depth/{number}.png", "occlusion": "occlusion/{number}.png"}),
    ],
)
def test_the_picture_is_proposed_among_several_candidates(
    write_kinds: WriteKinds, render: str, others: Mapping[str, str]
) -> None:
    layout = {"render": render, "label": render.replace("rgb", "seg").replace("view", "sem").replace("shots", "gt")}
    layout["label"] = layout["label"].replace("x/", "classes/")
    stated = {kind: pattern.replace("{frame}", "{number}") for kind, pattern in layout.items()}
    found = propose_layout(write_kinds({**stated, **others})).layout
    assert {name: found[name] for name in layout} == layout


def test_pictures_that_are_black_throughout_are_no_labels(write_kinds: WriteKinds) -> None:
    root = write_kinds({"render": "cam_views/{number}.png", "label": "cls_views/{number}.png"})
    for path in Path(root).glob("cam_views/*.png"):
        assert cv2.imwrite(str(path), np.zeros((60, 90, 3), np.uint8))
    proposal = propose_layout(root)
    assert proposal.layout == {"render": "cam_views/{frame}.png", "label": "cls_views/{frame}.png"}
    assert "cam_views/*.png (pictures of one colour)" in proposal.found


def test_pictures_without_labels_are_told_what_they_lack(write_kinds: WriteKinds) -> None:
    root = write_kinds({"render": "drive/{number}.png"})
    with pytest.raises(DumpError) as caught:
        discover(root)
    assert caught.value.hint.startswith("drive/*.png: pictures without class labels")
    assert "`sflow-pipeline label`" in caught.value.hint


def test_pictures_of_16_bits_are_proposed_where_their_name_says_so(write_kinds: WriteKinds) -> None:
    root = write_kinds({"render": "rgb/{number}.png", "label": "gt/{number}.png"})
    for path in Path(root).glob("rgb/*.png"):
        pixels = cv2.imread(str(path)).astype(np.uint16) * 257
        assert cv2.imwrite(str(path), pixels)
    assert propose_layout(root).layout["render"] == "rgb/{frame}.png"


@pytest.mark.parametrize(
    ("render", "label"),
    [
        ("rgb_front/{number}.png", "ids_left/{number}.png"),
        ("cam0/rgb/{number}.png", "cam1/ids/{number}.png"),
        ("views/front/{number}.png", "views/rear_classes/{number}.png"),
    ],
)
def test_the_labels_of_another_camera_are_not_proposed(write_kinds: WriteKinds, render: str, label: str) -> None:
    proposal = propose_layout(write_kinds({"render": render, "label": label}))
    assert (proposal.layout, proposal.hint) == ({}, "")


@pytest.mark.parametrize(
    ("render", "label"),
    [
        ("cam1/rgb/{number}.png", "cam1/ids/{number}.png"),
        ("left/{number}.png", "classes/{number}.png"),
        ("rig/front/rgb/{number}.png", "rig/front/ids/{number}.png"),
    ],
)
def test_the_labels_of_the_same_camera_are_proposed(write_kinds: WriteKinds, render: str, label: str) -> None:
    layout = propose_layout(write_kinds({"render": render, "label": label})).layout
    assert layout == {"render": render.replace("number", "frame"), "label": label.replace("number", "frame")}


def test_an_occlusion_mask_is_not_proposed_as_the_label(write_kinds: WriteKinds) -> None:
    proposal = propose_layout(write_kinds({"render": "rgb/{number}.png", "occlusion": "occlusion/{number}.png"}))
    assert proposal.layout == {}
    assert "rgb/*.png (pictures)" in proposal.found


@pytest.mark.parametrize(
    ("patterns", "layout"),
    [
        (
            {
                "label": "street/semantic/{number:04d}.png",
                "instance": "street/instance/{number:04d}.png",
                "flow": "street/flow/{number:04d}.png",
                "occlusion": "street/occlusion/{number:04d}.png",
            },
            {"label": "street/semantic/{frame}.png", "instance": "street/instance/{frame}.png"},
        ),
        ({"label": "seg_{number}.png", "depth": "depth_{number}.png"}, {"label": "seg_{frame}.png"}),
        ({"label": "{number}.png"}, {"label": "{frame}.png"}),
        (
            {"label": "gt/bonn_{number}_gtFine_labelIds.png", "instance": "gt/bonn_{number}_gtFine_instanceIds.png"},
            {
                "label": "gt/bonn_{frame}_gtFine_labelIds.png",
                "instance": "gt/bonn_{frame}_gtFine_instanceIds.png",
            },
        ),
        (
            {"label": "s/semantic/{number}.png", "occlusion": "s/masks/{number}.png"},
            {"label": "s/semantic/{frame}.png"},
        ),
    ],
)
def test_labels_without_pictures_are_proposed_alone(
    write_kinds: WriteKinds, patterns: Mapping[str, str], layout: Mapping[str, str]
) -> None:
    root = write_kinds(patterns)
    proposal = propose_layout(root)
    assert proposal.layout == layout
    assert "no pictures" in proposal.hint and "--label-space carla-0.9.14" in proposal.hint
    dump = discover(root, layout=proposal.layout, label_space="carla-0.9.14")
    assert len(dump.frames) == FRAMES and set(dump.modalities) == set(layout)
    assert [problem.kind for problem in dump.problems] in (["no_renders"], ["no_renders", "unmatched"])


def test_labels_of_several_folders_are_one_layout(write_kinds: WriteKinds, tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_kinds({"label": f"set/{split}/class1/{{number:06d}}.png"})
    assert propose_layout(str(tmp_path / "dump")).layout == {"label": "set/{split}/class1/{frame}.png"}


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_labels_are_not_proposed_alone_beside_pictures_that_do_not_pair(
    write_kinds: WriteKinds, tmp_path: Path, suffix: str
) -> None:
    root = write_kinds({"label": "gt/{number}.png"})
    (tmp_path / "dump" / "shots").mkdir()
    assert cv2.imwrite(str(tmp_path / "dump" / "shots" / f"1.{suffix}"), draw_kinds(1)["render"])
    assert cv2.imwrite(str(tmp_path / "dump" / "shots" / f"night_7_a.{suffix}"), draw_kinds(1)["render"])
    (tmp_path / "dump" / "shots" / f"1.{suffix}").unlink()
    assert "label" not in propose_layout(root).layout


def test_untagged_sky_of_old_carla_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "CameraSeg").mkdir()
    for number in range(FRAMES):
        tags = np.full((60, 90, 3), 0, np.uint8)
        tags[20:40, :, 2], tags[40:, :, 2], tags[35:50, 20 : 30 + number, 2] = 1, 7, 10
        assert cv2.imwrite(str(tmp_path / "CameraSeg" / f"{number}.png"), tags)
    hint = propose_layout(str(tmp_path)).hint
    assert "--layout 'label=CameraSeg/{frame}.png' --label-space carla-0.9.9 --label-encoding red_channel" in hint
