"""The street's pictures and labels agree with each other: geometry, motion, identity."""

import subprocess
import sys
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sflow_pipeline.errors import UsageError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.street import LABEL_SPACE, NO_DEPTH, Look, StreetFrame, StreetSequence
from sflow_pipeline.street.classes import BUILDING, CAR, NAMES, ROAD, SKY, THINGS
from sflow_pipeline.street.rasteriser import Polygons, fill_polygons

SIZE = (256, 128)


def draw(
    seed: int = 1, frames: int = 3, size: tuple[int, int] = SIZE, look: Look = "cg", sequence_index: int = 0
) -> list[StreetFrame]:
    street = StreetSequence(seed=seed, sequence_index=sequence_index, frames=frames, size=size, look=look)
    return list(street.render_frames())


@pytest.fixture(scope="module")
def pair() -> list[StreetFrame]:
    return draw(size=(384, 192))


def sample_bilinear(image: NDArray[np.uint8], frame: StreetFrame) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(image, x + frame.flow[:, :, 0], y + frame.flow[:, :, 1], cv2.INTER_LINEAR)


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_warping_the_next_frame_back_reproduces_this_one(seed: int) -> None:
    now, later = draw(seed=seed, frames=2, size=(384, 192))
    seen = ~now.occluded
    assert seen.mean() > 0.6
    error = np.abs(sample_bilinear(later.render, now).astype(int) - now.render).mean(axis=2)
    still = np.abs(later.render.astype(int) - now.render).mean(axis=2)
    away_from_edges = seen & (cv2.dilate(edges_of(now.instance_map), np.ones((5, 5), np.uint8)) == 0)
    assert np.median(error[seen]) <= 2
    assert error[away_from_edges].mean() < 3
    assert error[seen].mean() < 0.5 * still[seen].mean()


def edges_of(ids: NDArray[np.uint16]) -> NDArray[np.uint8]:
    return (cv2.dilate(ids, np.ones((3, 3), np.uint8)) != cv2.erode(ids, np.ones((3, 3), np.uint8))).astype(np.uint8)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_not_occluded_keeps_its_instance_in_the_next_frame(seed: int) -> None:
    now, later = draw(seed=seed, frames=2, size=(384, 192))
    height, width = now.label_map.shape
    y, x = np.nonzero(~now.occluded)
    to_x = np.rint(x + now.flow[y, x, 0]).astype(int)
    to_y = np.rint(y + now.flow[y, x, 1]).astype(int)
    assert (to_x >= 0).all() and (to_x < width).all() and (to_y >= 0).all() and (to_y < height).all()
    assert (later.instance_map[to_y, to_x] == now.instance_map[y, x]).mean() > 0.995


def standing_flow_error(now: StreetFrame, later: StreetFrame, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How far the flow of the chosen pixels is from that of a standing world, from depth and poses, in px."""
    intrinsics = np.array(now.camera["intrinsics_px"])
    to_world, world_to_later = np.array(now.camera["camera_to_world"]), np.linalg.inv(later.camera["camera_to_world"])
    y, x = np.nonzero(chosen)
    depth = now.depth[y, x] / 100.0
    points = np.linalg.inv(intrinsics) @ np.stack([x, y, np.ones_like(x)]) * depth
    moved = (world_to_later @ to_world @ np.vstack([points, np.ones_like(depth)]))[:3]
    ahead = moved[2] > 0.5
    expected = (intrinsics @ moved)[:2] / moved[2] - np.stack([x, y])
    return np.linalg.norm(expected.T - now.flow[y, x], axis=1)[ahead]


def test_flow_of_standing_things_follows_from_depth_and_poses(pair: list[StreetFrame]) -> None:
    standing = np.isin(pair[0].label_map, (ROAD, BUILDING))
    assert np.percentile(standing_flow_error(pair[0], pair[1], standing), 99) < 0.1


def test_road_depth_puts_the_road_at_height_zero(pair: list[StreetFrame]) -> None:
    frame = pair[0]
    y, x = np.nonzero(frame.label_map == ROAD)
    depth = frame.depth[y, x] / 100.0
    rays = np.linalg.inv(frame.camera["intrinsics_px"]) @ np.stack([x, y, np.ones_like(x)])
    pose = np.array(frame.camera["camera_to_world"])
    height = (pose[:3, :3] @ (rays * depth) + pose[:3, 3:])[1]
    assert np.abs(height[depth < 40]).max() < 0.02


def test_only_the_sky_has_no_depth(pair: list[StreetFrame]) -> None:
    for frame in pair:
        assert ((frame.depth == NO_DEPTH) == (frame.label_map == SKY)).all()


def test_looks_share_every_label() -> None:
    for clean, photo in zip(draw(look="cg", frames=2), draw(look="camera", frames=2), strict=True):
        assert not np.array_equal(clean.render, photo.render)
        for name in ("label_map", "instance_map", "depth", "flow", "occluded"):
            assert np.array_equal(getattr(clean, name), getattr(photo, name)), name
        assert clean.boxes == photo.boxes and clean.camera == photo.camera


@pytest.mark.parametrize("look", ["cg", "camera"])
def test_a_frame_does_not_depend_on_what_was_drawn_before(look: Look) -> None:
    in_order = draw(look=look, frames=4)
    street = StreetSequence(seed=1, sequence_index=0, frames=4, size=SIZE, look=look)
    for frame_index in (3, 1):
        alone = street.render_frame(frame_index)
        assert np.array_equal(alone.render, in_order[frame_index].render)
        assert np.array_equal(alone.flow, in_order[frame_index].flow)
        assert alone.boxes == in_order[frame_index].boxes


def test_camera_noise_differs_between_frames_and_repeats_with_the_identity() -> None:
    first, again = draw(look="camera", frames=2), draw(look="camera", frames=2)
    assert np.array_equal(first[0].render, again[0].render)
    sky = (first[0].label_map == SKY) & (first[1].label_map == SKY)
    assert (first[0].render[sky] != first[1].render[sky]).mean() > 0.3


def test_instances_belong_to_their_class_and_only_things_have_them(pair: list[StreetFrame]) -> None:
    for frame in pair:
        counted = frame.instance_map >= 1000
        assert (frame.instance_map[counted] // 1000 == frame.label_map[counted]).all()
        assert (frame.instance_map[~counted] == frame.label_map[~counted]).all()
        assert (np.isin(frame.label_map, list(THINGS)) == counted).all()


def test_boxes_hold_exactly_the_visible_pixels(pair: list[StreetFrame]) -> None:
    frame = pair[0]
    assert {box["instance_id"] for box in frame.boxes} == set(frame.instance_map[frame.instance_map >= 1000].tolist())
    for box in frame.boxes:
        x, y, width, height = cv2.boundingRect((frame.instance_map == box["instance_id"]).astype(np.uint8))
        assert box["xyxy"] == [x, y, x + width, y + height]
        assert box["visible_px"] == int((frame.instance_map == box["instance_id"]).sum())
        assert box["class"] == NAMES[box["class_id"]]


def test_class_ids_mean_what_the_label_space_says() -> None:
    by_id = {entry.id: entry.name for entry in load_label_space(LABEL_SPACE).classes}
    assert all(by_id[class_id].replace("_", " ") == name for class_id, name in NAMES.items())


@pytest.mark.parametrize("seed", range(4))
def test_it_looks_like_a_street_to_the_numbers(seed: int) -> None:
    frame = draw(seed=seed, frames=1)[0]
    height = frame.label_map.shape[0]
    assert {ROAD, BUILDING, SKY} <= set(np.unique(frame.label_map).tolist())
    assert (frame.label_map[-1] == ROAD).mean() > 0.3
    assert not (frame.label_map[: int(height * 0.38)] == ROAD).any()
    assert not (frame.label_map[int(height * 0.52) :] == SKY).any()
    assert len(frame.boxes) >= 5


def test_cars_move_by_themselves_and_houses_do_not() -> None:
    own_motion = {CAR: 0.0, BUILDING: 0.0}
    for seed in range(3):
        now, later = draw(seed=seed, frames=2)
        for class_id in own_motion:
            error = standing_flow_error(now, later, now.label_map == class_id)
            own_motion[class_id] = max(own_motion[class_id], float(np.percentile(error, 98)) if len(error) else 0.0)
    assert own_motion[CAR] > 1.0
    assert own_motion[BUILDING] < 0.1


@pytest.mark.parametrize("size", [(64, 32), (33, 17), (101, 203), (640, 16)])
@pytest.mark.parametrize("look", ["cg", "camera"])
def test_any_size_can_be_drawn(size: tuple[int, int], look: Look) -> None:
    frame = draw(frames=1, size=size, look=look)[0]
    assert frame.render.shape == (size[1], size[0], 3) and frame.render.dtype == np.uint8
    assert frame.flow.shape == (size[1], size[0], 2) and np.isfinite(frame.flow).all()
    assert frame.label_map.dtype == np.uint8 and frame.depth.dtype == np.uint16


@pytest.mark.parametrize(
    "make",
    [
        lambda: draw(size=(8, 8)),
        lambda: draw(size=(100000, 64)),
        lambda: draw(seed=-1),
        lambda: draw(frames=0),
        lambda: draw(look="sepia"),  # type: ignore[arg-type]
        lambda: StreetSequence(seed=1, sequence_index=0, frames=2, size=SIZE, look="cg").render_frame(2),
    ],
)
def test_impossible_wishes_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()


def test_neighbouring_triangles_leave_no_gap_and_do_not_overlap() -> None:
    corners = np.array([[3.2, 1.7], [28.9, 4.1], [25.4, 21.3], [2.1, 17.6]])
    halves = [corners[[0, 1, 2]], corners[[0, 2, 3]]]
    covered = np.zeros((24, 32), int)
    for half in [*halves, corners]:
        face = np.zeros((24, 32), np.int32)
        polygon = Polygons(half[None], np.array([len(half)]), np.array([[0.0, 0.0, 1.0]]), np.array([1]))
        fill_polygons(polygon, np.zeros((24, 32), np.float32), face)
        covered += face if half is not corners else -face
    assert (covered == 0).all()
    y, x = np.nonzero(face)
    inside = [
        cv2.pointPolygonTest(corners.astype(np.float32), (float(a), float(b)), True) for a, b in zip(x, y, strict=True)
    ]
    assert min(inside) > -1e-3


def test_the_nearest_polygon_wins_whatever_the_order() -> None:
    big = np.array([[-5.0, -5.0], [60.0, -5.0], [60.0, 60.0], [-5.0, 60.0]])
    small = big * 0.2 + 10
    points = np.stack([small, big])
    for order in ([0, 1], [1, 0]):
        plane = np.array([[0.0, 0.0, 2.0], [0.0, 0.0, 1.0]])[order]
        face = np.zeros((50, 50), np.int32)
        polygons = Polygons(points[order], np.array([4, 4]), plane, np.array([7, 8])[order])
        fill_polygons(polygons, np.zeros((50, 50), np.float32), face)
        assert face[12, 12] == 7 and face[40, 40] == 8


def test_listing_simulators_does_not_load_opencv() -> None:
    code = "import sys, sflow_pipeline.simulators; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
