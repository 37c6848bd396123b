"""Pictures drawn from labels: OpenCV's Laplacian finds the boundaries of classes and objects, and nothing else."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sflow_pipeline.conversion.frame.region_picture import draw_regions

THRESHOLD = 0.04
RING = np.ones((3, 3), np.uint8)


def find_edges(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    return np.abs(cv2.Laplacian(cv2.GaussianBlur(luma, (3, 3), 0), cv2.CV_32F)) > THRESHOLD


def find_boundaries(*planes: NDArray[np.generic]) -> NDArray[np.bool_]:
    found = np.zeros(planes[0].shape, bool)
    for plane in planes:
        across, down = plane[:, 1:] != plane[:, :-1], plane[1:] != plane[:-1]
        for part, differs in ((found[:, 1:], across), (found[:, :-1], across), (found[1:], down), (found[:-1], down)):
            part |= differs
    return found


def draw_label(seed: int, classes: int) -> NDArray[np.uint8]:
    """Blobs of many classes, most of which touch many others."""
    noise = np.random.default_rng(seed).random((classes, 90, 140), np.float32)
    return np.stack([cv2.GaussianBlur(plane, (0, 0), 4) for plane in noise]).argmax(axis=0).astype(np.uint8)


@pytest.mark.parametrize(("seed", "classes"), [(0, 3), (1, 12), (2, 60), (3, 200)])
def test_edges_are_the_boundaries_of_classes(seed: int, classes: int) -> None:
    label_map = draw_label(seed, classes)
    picture = draw_regions(label_map)
    assert picture.shape == (90, 140, 3) and picture.dtype == np.uint8
    edges, boundaries = find_edges(picture), find_boundaries(label_map)
    assert cv2.dilate(edges.astype(np.uint8), RING)[boundaries].all()
    assert not edges[cv2.dilate(boundaries.astype(np.uint8), RING) == 0].any()


def test_objects_of_one_class_are_told_apart() -> None:
    label_map = np.full((40, 60), 13, np.uint16)
    objects = np.zeros((40, 60), np.int64)
    objects[:, 20:40], objects[:, 40:] = 70001, 70002
    assert not find_edges(draw_regions(label_map)).any()
    columns = np.flatnonzero(find_edges(draw_regions(label_map, objects)).any(axis=0))
    assert columns.tolist() == [18, 19, 20, 21, 38, 39, 40, 41]


def test_seven_classes_that_all_touch_each_other_keep_their_boundaries() -> None:
    size = 7  # every pair of classes is side by side somewhere
    pairs = [(a, b) for a in range(size) for b in range(size) if a != b]
    label_map = np.array([[100, a, b, 100] for a, b in pairs], np.uint8).repeat(6, 0).repeat(6, 1)
    edges = find_edges(draw_regions(label_map))
    assert cv2.dilate(edges.astype(np.uint8), RING)[find_boundaries(label_map)].all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_the_smallest_labels(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 3, shape).astype(np.uint8)
    levels = draw_regions(noise)[..., 0].astype(int)
    assert np.array_equal(np.abs(np.diff(levels)) >= 51, np.diff(noise.astype(int)) != 0)
    assert np.array_equal(np.abs(np.diff(levels, axis=0)) >= 51, np.diff(noise.astype(int), axis=0) != 0)
