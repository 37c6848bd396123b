"""Countable objects of a picture, as a map of numbers: from its instance file, or connected regions of its label."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.evaluation.photo_source import LabelledPhoto
from sflow_pipeline.export.instances import find_box, find_instances, is_thing
from sflow_pipeline.label_spaces import LabelMapping, LabelSpace
from sflow_pipeline.simulators import LabelFormat

#: Objects with a smaller share of the picture's pixels have no number: nobody has to find them.
_SMALLEST_SHARE = 2e-4


@dataclass(frozen=True)
class Boxes:
    """Boxes of one picture.

    Attributes:
        xyxy: (n, 4) left, top, right, bottom in px, right and bottom exclusive.
        channels: (n,) class of each.
        is_ignored: (n,) a region of a countable class without number, where nothing has to be found and nothing found
            is wrong.
    """

    xyxy: NDArray[np.float64]
    channels: NDArray[np.int64]
    is_ignored: NDArray[np.bool_]


def list_countable(label_space: LabelSpace) -> list[int]:
    """Channels of people, vehicles, animals and whatever else moves.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> space = load_label_space("camvid11")
    >>> [space.names[channel] for channel in list_countable(space)]
    ['car', 'pedestrian', 'bicyclist']
    """
    return [
        channel
        for channel, item in enumerate(label_space.classes)
        if channel != label_space.void_channel and item.concepts and is_thing(item, "class_times_1000")
    ]


def number_objects(
    picture: LabelledPhoto, class_index: NDArray[np.uint8], label_format: LabelFormat, mapping: LabelMapping
) -> NDArray[np.uint16]:
    """The number of the object at every pixel, from 1; 0 where there is none, and for specks.

    Args:
        picture: with its instance file; without one, connected regions of each class are its objects.
        class_index: (h, w) its label in the target's channels.
        label_format: of the picture's source.
        mapping: from its label space to the target.
    """
    countable = list_countable(mapping.target)
    smallest = _SMALLEST_SHARE * class_index.size
    numbers = np.zeros(class_index.shape, np.uint16)
    if picture.instance_map is None:
        groups = [group for channel in countable for group in _list_regions(class_index == channel)]
    else:
        found = find_instances(picture.instance_map, picture.label_map, label_format)
        groups = [item.pixels for item in found if mapping.table[item.class_id] in countable]
    for number, pixels in enumerate((group for group in groups if len(group) >= smallest), start=1):
        numbers.reshape(-1)[pixels] = number
    return numbers


def find_boxes(
    class_index: NDArray[np.uint8], numbers: NDArray[np.uint16], channels: list[int], smallest_side_px: int = 1
) -> Boxes:
    """Boxes of the objects in a map of numbers, and of the regions that are ignored.

    Args:
        class_index: (h, w) channels of the label space.
        numbers: (h, w) see ``number_objects``.
        channels: the countable ones.
        smallest_side_px: objects with a shorter side are ignored, too.

    >>> classes, numbers = np.array([[8, 8, 0, 8]], np.uint8), np.array([[1, 1, 0, 0]], np.uint16)
    >>> boxes = find_boxes(classes, numbers, [8])
    >>> boxes.xyxy.tolist(), boxes.is_ignored.tolist()
    ([[0.0, 0.0, 2.0, 1.0], [3.0, 0.0, 4.0, 1.0]], [False, True])
    """
    width_px = class_index.shape[1]
    labels, places = class_index.reshape(-1), np.flatnonzero(numbers)
    values = numbers.reshape(-1)[places]
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=0))
    found = [(labels[group[0]], find_box(group, width_px), False) for group in np.split(places[order], starts)[1:]]
    for channel in channels:
        rest = (class_index == channel) & (numbers == 0)
        found += [(channel, find_box(group, width_px), True) for group in _list_regions(rest)]
    xyxy = np.array([box for _channel, box, _ignored in found], np.float64).reshape(-1, 4)
    is_short = (xyxy[:, 2:] - xyxy[:, :2] < smallest_side_px).any(axis=1)
    is_ignored = np.array([ignored for _channel, _box, ignored in found], bool)
    return Boxes(xyxy, np.array([channel for channel, _box, _ignored in found], np.int64), is_ignored | is_short)


def _list_regions(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Places in the flattened map of every connected region of a mask; pixels that touch at a corner are connected."""
    if not mask.any():
        return []
    _count, regions = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    places = np.flatnonzero(mask)
    values = regions.reshape(-1)[places]
    order = np.argsort(values, kind="stable")
    return np.split(places[order], np.flatnonzero(np.diff(values[order])) + 1)
