"""Class ids read back from colours."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.label_spaces import (
    UNKNOWN_COLOR_ID,
    LabelSpace,
    explain_unknown_colors,
    from_colors,
    list_label_spaces,
    load_label_space,
)


@pytest.mark.parametrize("name", list_label_spaces())
def test_every_class_that_has_a_colour_of_its_own_comes_back(name: str) -> None:
    space = load_label_space(name)
    colors = [c.color for c in space.classes]
    own = [c for c in space.classes if colors.count(c.color) == 1]
    reading = from_colors(np.array([[c.color for c in own]], np.uint8), space)
    assert reading.label_map.tolist() == [[c.id for c in own]]
    assert reading.unknown_colors == {}


def test_of_classes_that_share_a_colour_the_first_is_read() -> None:
    rgb = np.array([[[153, 153, 153], [0, 0, 0]]], np.uint8)
    assert from_colors(rgb, load_label_space("cityscapes34")).label_map.tolist() == [[17, 0]]


def test_unknown_colours_are_counted() -> None:
    rgb = np.full((4, 5, 3), [128, 64, 128], np.uint8)
    rgb[0, :3] = [1, 2, 3]
    rgb[1, 0] = [128, 64, 127]
    reading = from_colors(rgb, load_label_space("camvid11"))
    assert reading.unknown_colors == {(1, 2, 3): 3, (128, 64, 127): 1}
    assert list(reading.unknown_colors) == [(1, 2, 3), (128, 64, 127)]
    assert (reading.label_map == UNKNOWN_COLOR_ID).sum() == 4
    assert (reading.label_map == 3).sum() == 16


def test_genuine_colours_agree_with_genuine_ids(shared_data: Path) -> None:
    folder = shared_data / "carla-scapes" / "images"
    colors = sorted(folder.glob("*_color.png"))
    assert len(colors) == 2
    for path in colors:
        rgb = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        ids = cv2.imread(str(path).replace("_color", "_labelIds"), cv2.IMREAD_UNCHANGED)
        reading = from_colors(rgb, load_label_space("carla-0.9.14"))
        assert reading.unknown_colors == {}
        assert (reading.label_map == ids).all()


def draw_scene(size_px: tuple[int, int] = (64, 48)) -> tuple[np.ndarray, LabelSpace]:
    """Sky, road and a car in their camvid colours, with slanted borders."""
    space = load_label_space("camvid11")
    colors = {c.name: c.color for c in space.classes}
    rgb = np.zeros((size_px[1], size_px[0], 3), np.uint8)
    rgb[:] = colors["sky"]
    cv2.fillPoly(rgb, [np.array([[0, 40], [63, 20], [63, 47], [0, 47]])], colors["road"])
    cv2.circle(rgb, (30, 30), 9, colors["car"], -1)
    return rgb, space


def test_borders_blended_by_resizing_are_recognised() -> None:
    rgb, space = draw_scene()
    blended = cv2.resize(rgb, (41, 31), interpolation=cv2.INTER_AREA)
    reading = from_colors(blended, space)
    text = explain_unknown_colors(reading, space)
    assert text.startswith(f"{len(reading.unknown_colors)} colours of no class: (")
    assert "anti-aliasing, or resized with interpolation" in text
    assert explain_unknown_colors(from_colors(rgb, space), space) == ""


def test_swapped_channels_are_recognised() -> None:
    rgb, space = draw_scene()
    text = explain_unknown_colors(from_colors(np.ascontiguousarray(rgb[..., ::-1]), space), space)
    assert "red and blue are swapped" in text


def test_a_class_that_is_missing_is_no_border() -> None:
    rgb, space = draw_scene()
    rgb[10:20, 5:40] = np.arange(35)[:, None] + 1
    text = explain_unknown_colors(from_colors(rgb, space), space)
    assert text.startswith("35 colours of no class: (")
    assert text.endswith(", …")
