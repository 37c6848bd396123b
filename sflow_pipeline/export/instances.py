"""Countable objects of a frame, from its instance file and its label map."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.dataset.row import Row
from sflow_pipeline.label_spaces import InstanceEncoding, LabelClass
from sflow_pipeline.simulators import LabelFormat
from sflow_pipeline.simulators.instance_encoding import split_instance_map

#: Roots of concepts whose objects are counted wherever they occur; Cityscapes' hasInstances, and what else moves.
_MOVING = ("human", "vehicle", "animal", "aircraft", "vessel")
#: Roots of concepts that are surfaces and regions, whatever an instance file says about them.
_STUFF = ("void", "sky", "flat", "nature", "construction")
_STUFF_CONCEPTS = ("indoor.ceiling",)


@dataclass(frozen=True)
class Instance:
    """One object.

    Attributes:
        class_id: of the dataset's label space.
        object_id: of the object, unique in its frame; the same in every frame of a sequence, as far as the simulator
            keeps its numbers.
        number: of the object, as the instance file has it; not unique between classes.
        pixels: (n,) positions in the flattened (h, w) frame, rising.
        xyxy: left, top, right, bottom in px, right and bottom exclusive.
    """

    class_id: int
    object_id: int
    number: int
    pixels: NDArray[np.int64]
    xyxy: tuple[int, int, int, int]

    @property
    def area_px(self) -> int:
        return len(self.pixels)


def is_thing(label_class: LabelClass, encoding: InstanceEncoding) -> bool:
    """Whether objects of a class are counted, by its own concept.

    Args:
        label_class: of the dataset's label space.
        encoding: of the instance files. Where they number objects of every class (``numbered``), everything but
            surfaces and regions is counted; elsewhere people, vehicles, animals and other moving things are.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> chair = load_label_space("nyu40").classes[5]
    >>> is_thing(chair, "numbered"), is_thing(chair, "class_times_1000")
    (True, False)
    """
    concept = label_class.concepts[0]
    root = concept.split(".")[0]
    if encoding != "numbered":
        return root in _MOVING
    return root not in _STUFF and concept not in _STUFF_CONCEPTS


def list_things(label_format: LabelFormat) -> list[LabelClass]:
    """The countable classes of a dataset, without void, in the order of its label space."""
    space = label_format.space
    return [item for item in space.classes if is_thing(item, label_format.instances) and item.id != space.void_id]


def find_instances(instance_map: NDArray[Any], label_map: NDArray[Any], label_format: LabelFormat) -> list[Instance]:
    """The countable objects of a frame, in the order of their ids.

    An object's class is the one that most of its pixels are labelled with, and only pixels with that label are its:
    where label and instance file disagree, the label is right.

    Args:
        instance_map: (h, w) ids, or (h, w, 3 or 4) uint8 colours of objects, black where there is none.
        label_map: (h, w) class ids.
        label_format: of the dataset: its label space, and what the instance file's values mean.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> instance_map, label_map = np.array([[0, 13002], [0, 13002]]), np.array([[0, 13], [0, 13]])
    >>> car = find_instances(instance_map, label_map, LabelFormat(load_label_space("cityscapes19")))[0]
    >>> car.class_id, car.number, car.xyxy
    (13, 2, (1, 0, 2, 2))
    """
    ids, numbers = (plane.reshape(-1) for plane in split_instance_map(instance_map, label_format.instances))
    labels = label_map.reshape(-1)
    things = {item.id for item in list_things(label_format)}
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
        found.append(Instance(class_id, int(ids[own[0]]), int(numbers[own[0]]), own, find_box(own, label_map.shape[1])))
    return found


def read_instances(row: Row, label_map: NDArray[Any], label_format: LabelFormat) -> list[Instance] | None:
    """The countable objects of a row; None where it has no instance file of the label's size that can be read.

    Raises:
        FrameError: the file is damaged.
    """
    instance_map = row.decode_plane("instance")
    if instance_map is None or instance_map.shape[:2] != label_map.shape:
        return None
    return find_instances(instance_map, label_map, label_format)


def find_box(pixels: NDArray[np.int64], width_px: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of positions in a flattened picture; right and bottom exclusive."""
    rows, columns = np.divmod(pixels, width_px)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
