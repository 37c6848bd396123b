"""Countable objects of a frame, from its instance file and its label map."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.label_spaces import LabelClass, LabelSpace

#: Instance files of the plain layout and of Cityscapes hold class id * 1000 + n for countable objects.
INSTANCES_PER_CLASS = 1000
_KITTI_INSTANCES_PER_CLASS = 256
#: Simulators whose instance files number objects from 1, 0 where there is none.
_NUMBERED = ("blenderproc", "vkitti2")
#: Simulators whose instance files have the class in red and the object in green and blue.
_CLASS_IN_RED = ("carla", "viper")
#: What can be counted, by the root of a class's own concept; Cityscapes' hasInstances.
_THINGS = ("human", "vehicle")


@dataclass(frozen=True)
class Instance:
    """One object.

    Attributes:
        class_id: of the dataset's label space.
        number: of the object, as the instance file has it; not unique between classes.
        pixels: (n,) positions in the flattened (h, w) frame, rising.
        xyxy: left, top, right, bottom in px, right and bottom exclusive.
    """

    class_id: int
    number: int
    pixels: NDArray[np.int64]
    xyxy: tuple[int, int, int, int]

    @property
    def area_px(self) -> int:
        return len(self.pixels)


def is_thing(label_class: LabelClass) -> bool:
    """Whether objects of a class can be counted: people and vehicles."""
    return label_class.concepts[0].split(".")[0] in _THINGS


def find_instances(
    instance_map: NDArray[Any], label_map: NDArray[Any], space: LabelSpace, simulator: str = ""
) -> list[Instance]:
    """The countable objects of a frame, in the order of their ids.

    An object's class is the one that most of its pixels are labelled with, and only pixels with that label are its:
    where label and instance file disagree, the label is right.

    Args:
        instance_map: (h, w) ids, or (h, w, 3 or 4) uint8 colours of objects, black where there is none.
        label_map: (h, w) class ids.
        space: of the label map.
        simulator: who wrote the instance file and thus what its numbers mean; where nothing else is known of it, ids
            from 1000 up are class id * 1000 + n, and those below are no objects.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> instance_map, label_map = np.array([[0, 13002], [0, 13002]]), np.array([[0, 13], [0, 13]])
    >>> car = find_instances(instance_map, label_map, load_label_space("cityscapes19"))[0]
    >>> car.class_id, car.number, car.xyxy
    (13, 2, (1, 0, 2, 2))
    """
    ids, numbers = (plane.reshape(-1) for plane in _read_ids(instance_map, simulator))
    labels = label_map.reshape(-1)
    things = {item.id for item in space.classes if is_thing(item)}
    pixels = np.flatnonzero(ids)
    order = np.argsort(ids[pixels], kind="stable")
    pixels = pixels[order]
    starts = np.flatnonzero(np.diff(ids[pixels], prepend=0))
    found = []
    for group in np.split(pixels, starts[1:]) if len(pixels) else []:
        values, counts = np.unique(labels[group], return_counts=True)
        class_id = int(values[counts.argmax()])
        if class_id not in things:
            continue
        own = group[labels[group] == class_id]
        found.append(Instance(class_id, int(numbers[own[0]]), own, _box(own, label_map.shape[1])))
    return found


def number_in_class(instances: Sequence[Instance], class_ids: Sequence[int], limit: int) -> list[int | None]:
    """A number for each instance that is unique within its (new) class: its own where that is free.

    Args:
        instances: of a frame.
        class_ids: the class that each has in the export.
        limit: numbers are below it; None for objects beyond.
    """
    taken: dict[int, set[int]] = {}
    numbers: list[int | None] = []
    for instance, class_id in zip(instances, class_ids, strict=True):
        used = taken.setdefault(class_id, set())
        free = instance.number if instance.number < limit and instance.number not in used else None
        if free is None:
            free = next((n for n in range(limit) if n not in used), None)
        if free is not None:
            used.add(free)
        numbers.append(free)
    return numbers


def _read_ids(instance_map: NDArray[Any], simulator: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What tells objects apart, 0 where there is none, and their numbers."""
    if instance_map.ndim == 3:
        red, green, blue = (instance_map[..., channel].astype(np.int64) for channel in range(3))
        unit = green | blue << 8
        ids = red << 16 | unit
        return (np.where(unit > 0, ids, 0) if simulator in _CLASS_IN_RED else ids), unit
    ids = instance_map.astype(np.int64)
    if simulator in _NUMBERED:
        return ids, ids
    if simulator == "kitti":
        number = ids % _KITTI_INSTANCES_PER_CLASS
        return np.where(number > 0, ids, 0), number
    return np.where(ids >= INSTANCES_PER_CLASS, ids, 0), ids % INSTANCES_PER_CLASS


def _box(pixels: NDArray[np.int64], width_px: int) -> tuple[int, int, int, int]:
    rows, columns = np.divmod(pixels, width_px)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
