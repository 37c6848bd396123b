"""Variants after the first: another light, and other paint on vehicles, which a sequence keeps."""

import colorsys

import numpy as np

from sflow_pipeline.conversion.painting.variant_colors import Light, draw_light, relight, repaint_vehicles

RED_CARS = np.full((20, 40, 3), (180, 30, 30), np.uint8)
EVERYWHERE = np.ones((20, 40), bool)


def hue_of(pixel: np.ndarray) -> float:
    return colorsys.rgb_to_hsv(*(float(value) / 255 for value in pixel))[0]


def test_light_is_drawn_by_sequence_and_variant_and_spreads() -> None:
    lights = [draw_light(0, "town01", variant) for variant in range(1, 60)]
    assert len({light.exposure_ev for light in lights}) == 59
    means = [relight(np.full((4, 4, 3), 120, np.uint8), light).mean() for light in lights]
    assert min(means) < 105
    assert max(means) > 130
    assert draw_light(0, "town01", 3) == lights[2]
    assert draw_light(0, "town02", 3) != lights[2]
    assert draw_light(1, "town01", 3) != lights[2]


def test_warm_light_raises_red_over_blue_and_low_contrast_narrows() -> None:
    scene = np.zeros((2, 2, 3), np.uint8)
    scene[0], scene[1] = 60, 180
    warm = relight(scene, Light(0.0, 1.0, 1.0)).mean(axis=(0, 1))
    assert warm[0] > warm[1] > warm[2]
    flat = relight(scene, Light(0.0, 0.0, 0.5)).astype(int)
    assert (flat[1] - flat[0] == 60).all()


def test_objects_have_paint_of_their_own_and_keep_it_where_they_move() -> None:
    numbers = np.repeat(np.arange(1, 21)[:, None], 40, axis=1).astype(np.int64)
    painted = repaint_vehicles(RED_CARS, EVERYWHERE, numbers, 0, "town01", 1)
    colors = {tuple(painted[row, 0]) for row in range(20)}
    assert len(colors) > 15
    assert all((painted[row] == painted[row, 0]).all() for row in range(20))
    moved = repaint_vehicles(RED_CARS, EVERYWHERE, np.roll(numbers, 3, axis=0), 0, "town01", 1)
    assert np.array_equal(moved, np.roll(painted, 3, axis=0))


def test_lamps_keep_their_colour() -> None:
    scene = np.full((20, 40, 3), (40, 60, 150), np.uint8)
    scene[4:8, 30:36] = (230, 20, 20)
    for variant in range(1, 6):
        painted = repaint_vehicles(scene, EVERYWHERE, np.full((20, 40), 7), 0, "town01", variant)
        assert np.array_equal(painted[4:8, 30:36], scene[4:8, 30:36])
        assert np.abs(painted[0, 0].astype(int) - scene[0, 0]).max() > 10


def test_without_instances_all_vehicles_turn_by_one_angle_and_greys_stay() -> None:
    scene = RED_CARS.copy()
    scene[:, 20:] = 128
    painted = repaint_vehicles(scene, EVERYWHERE, None, 0, "town01", 1)
    assert np.abs(painted[:, 20:].astype(int) - 128).max() <= 1
    assert abs(hue_of(painted[0, 0]) - hue_of(scene[0, 0])) > 0.03
    half = repaint_vehicles(scene, EVERYWHERE & (np.arange(40) < 10), None, 0, "town01", 1)
    assert np.array_equal(half[:, :10], painted[:, :10])
    assert np.array_equal(half[:, 10:], scene[:, 10:])
