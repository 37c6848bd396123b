"""Instance encodings: object ids from instance files, and detection of the encoding."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.label_spaces import InstanceEncoding

_UNITS: Mapping[InstanceEncoding, int] = {"class_times_1000": 1000, "class_times_256": 256}
_AGREEMENT = 0.98


def split_instance_map(
    instance_map: NDArray[Any], encoding: InstanceEncoding
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Object ids and object numbers of an instance file's pixels.

    Args:
        instance_map: (h, w) values, or (h, w, 3 or 4) colours, as decoded; alpha is ignored.
        encoding: what they mean. Colours are read as R, G, B bytes of one number where it does not name channels.

    Returns:
        (h, w) ids, equal within an object and different between objects, 0 where there is none; and (h, w) numbers,
        which the file gives to the object and which may repeat between classes.

    >>> ids, numbers = split_instance_map(np.array([[7, 26002]]), "class_times_1000")
    >>> ids.tolist(), numbers.tolist()
    ([[0, 26002]], [[7, 2]])
    """
    if instance_map.ndim == 3:
        red, green, blue = (instance_map[..., channel].astype(np.int64) for channel in range(3))
        number = green | blue << 8
        ids = red << 16 | number
        return (np.where(number > 0, ids, 0) if encoding == "class_in_red" else ids), number
    ids = instance_map.astype(np.int64)
    unit = _UNITS.get(encoding)
    if unit is None:
        return ids, ids
    number = ids % unit
    is_object = ids >= unit if encoding == "class_times_1000" else number > 0
    return np.where(is_object, ids, 0), number


def detect_instance_encoding(instance_map: NDArray[Any], label_map: NDArray[Any]) -> InstanceEncoding:
    """The encoding of an instance file, found by comparing its values with the class ids of the same pixels.

    Args:
        instance_map: (h, w) values, or (h, w, 3 or 4) colours.
        label_map: (h, w) class ids.

    Returns:
        ``numbered`` where no class id can be read from the values.

    >>> detect_instance_encoding(np.array([[7, 26002]]), np.array([[7, 26]]))
    'class_times_1000'
    >>> detect_instance_encoding(np.array([[0, 2]]), np.array([[7, 26]]))
    'numbered'
    """
    if instance_map.ndim == 3:
        is_marked = instance_map[..., :3].any(axis=2)
        agrees = instance_map[..., 0] == label_map
        return "class_in_red" if is_marked.any() and agrees[is_marked].mean() > _AGREEMENT else "numbered"
    values = instance_map.astype(np.int64)
    for encoding, unit in _UNITS.items():
        class_ids = np.where(values >= unit, values // unit, values if encoding == "class_times_1000" else 0)
        is_marked = values > 0
        if is_marked.any() and (class_ids == label_map)[is_marked].mean() > _AGREEMENT:
            return encoding
    return "numbered"
