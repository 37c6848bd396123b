"""Picture of a frame's regions, drawn from its label: in place of the render in a dump without pictures."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

#: Grey levels of regions. Six are enough for any map, see ``_color_regions``, and the Laplacian of a step between two
#: of them is 0.05 or more, above the threshold of edges (0.04).
_LEVELS = np.array([0, 51, 102, 153, 204, 255], np.uint8)


def draw_regions(label_map: NDArray[Any], instance_map: NDArray[Any] | None = None) -> NDArray[np.uint8]:
    """Grey picture in which every connected region of one class and object is plain and differs from those around it.

    Its Laplacian edges are the boundaries of classes and objects, whichever levels the regions have.

    Args:
        label_map: (h, w) class ids.
        instance_map: (h, w) numbers that tell objects apart.

    Returns:
        (h, w, 3) uint8 RGB.

    >>> draw_regions(np.array([[7, 7, 8], [7, 9, 8]], np.uint8))[..., 0].tolist()
    [[51, 51, 102], [51, 153, 102]]
    """
    planes = [label_map] if instance_map is None else [label_map, instance_map]
    across, down = (
        np.logical_and.reduce([first == second for first, second in pairs])
        for pairs in zip(*(list(_pair_pixels(plane)) for plane in planes), strict=True)
    )
    regions = _number_regions(across, down)
    neighbours = _find_neighbours(regions)
    class_ids = np.zeros(len(neighbours), np.int64)
    class_ids[regions] = label_map
    levels = _color_regions(neighbours, class_ids.tolist())
    return np.repeat(_LEVELS[levels][regions][..., None], 3, axis=2)


def _pair_pixels(plane: NDArray[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Pixels and those beside them, then pixels and those below them."""
    yield plane[:, :-1], plane[:, 1:]
    yield plane[:-1], plane[1:]


def _number_regions(across: NDArray[np.bool_], down: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(h, w) numbers from 0 of regions: ``across`` and ``down`` say which pixels belong to the one beside and below."""
    height, width = across.shape[0], down.shape[1]
    joined = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)  # pixels, and between them whether they are joined
    joined[::2, ::2] = 1
    joined[::2, 1::2] = across
    joined[1::2, ::2] = down
    _count, numbers = cv2.connectedComponents(joined, connectivity=4, ltype=cv2.CV_32S)
    return np.asarray(numbers[::2, ::2] - 1, np.int32)


def _find_neighbours(regions: NDArray[np.int32]) -> list[list[int]]:
    """The regions beside each region."""
    count = int(regions.max()) + 1
    pairs = [np.stack([one[one != other], other[one != other]]) for one, other in _pair_pixels(regions)]
    ones, others = np.concatenate(pairs, axis=1).astype(np.int64)
    codes = np.unique(np.concatenate([ones * count + others, others * count + ones]))
    neighbours: list[list[int]] = [[] for _ in range(count)]
    for one, other in zip((codes // count).tolist(), (codes % count).tolist(), strict=True):
        neighbours[one].append(other)
    return neighbours


def _color_regions(neighbours: list[list[int]], preferred: list[int]) -> list[int]:
    """A level for each region that no neighbour has, the preferred one or one after it where that is free.

    A planar graph always has a node with five neighbours or fewer. These are put aside one by one and coloured last
    first, so that a level of six is free for each (Matula and Beck 1983, smallest-last order).
    """
    count = len(_LEVELS)
    degrees = [len(others) for others in neighbours]
    waiting = deque(region for region, degree in enumerate(degrees) if degree < count)
    order = []
    is_aside = [False] * len(neighbours)
    while waiting:
        region = waiting.popleft()
        is_aside[region] = True
        order.append(region)
        for other in neighbours[region]:
            degrees[other] -= 1
            if degrees[other] == count - 1 and not is_aside[other]:
                waiting.append(other)
    levels = [-1] * len(neighbours)
    for region in reversed(order):
        taken = {levels[other] for other in neighbours[region]}
        wanted = ((preferred[region] + step) % count for step in range(count))
        levels[region] = next(level for level in wanted if level not in taken)
    return levels
