"""Mapping from the ids of one label space to the channels of another, with the classes that are lost."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError, LabelSpaceError
from sflow_pipeline.label_spaces.label_space import LabelClass, LabelSpace

#: In a mapping's table: this id is not in the source label space.
UNMAPPED = 255


@dataclass(frozen=True)
class MappingRow:
    """Target of one source class. ``is_lost``: it has a meaning that the target space cannot express."""

    source_id: int
    source_name: str
    target_id: int
    target_name: str
    is_lost: bool


@dataclass(frozen=True)
class LabelMapping:
    """Mapping of label maps of ``source`` to channel indices of ``target``.

    Attributes:
        table: (65536,) uint8, id of the source -> channel of the target, ``UNMAPPED`` for ids it does not have.
        rows: one per source class, in its order.
        lost: names of the source classes that become void although they have a meaning.
    """

    source: LabelSpace
    target: LabelSpace
    table: NDArray[np.uint8] = field(repr=False, compare=False)
    rows: tuple[MappingRow, ...] = field(repr=False)
    lost: tuple[str, ...]

    def apply(self, label_map: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Turn class ids into channels of the target space.

        Args:
            label_map: (h, w) uint8 or uint16 ids of the source space.

        Returns:
            (h, w) uint8 channel indices.

        Raises:
            FrameError: reason ``unknown_id``: some ids are not in the source space; they are listed with their
                share of the pixels.

        >>> from sflow_pipeline.label_spaces import load_label_space
        >>> mapping = build_mapping(load_label_space("carla-0.9.14"), load_label_space("camvid11"))
        >>> mapping.apply(np.array([[11, 1, 24]], np.uint8))
        array([[0, 3, 3]], dtype=uint8)
        """
        channels: NDArray[np.uint8] = self.table[: 256 if label_map.dtype == np.uint8 else None][label_map]
        if channels.size and int(channels.max()) == UNMAPPED:
            unmapped = self.find_unmapped(label_map)
            pixels = sum(unmapped.values())
            raise FrameError(
                f"label ids {', '.join(map(str, unmapped))} on {pixels / label_map.size:.2%} of the pixels are not "
                f"in label space {self.source.name}",
                hint="name the label space that the labels follow with --label-space; `inspect` shows what was found",
                reason="unknown_id",
            )
        return channels

    def find_unmapped(self, label_map: NDArray[np.uint8] | NDArray[np.uint16]) -> dict[int, int]:
        """Ids of a label map that the source space does not have -> how many pixels hold them."""
        outside = label_map[self.table[label_map] == UNMAPPED]
        ids, counts = np.unique(outside, return_counts=True)
        return dict(zip(ids.tolist(), counts.tolist(), strict=True))


@cache
def build_mapping(source: LabelSpace, target: LabelSpace) -> LabelMapping:
    """Match classes by concept: each source class goes to the target class with the longest matching concept.

    A target concept matches when it equals the source class's own (first) concept or stands above it in the
    dotted path. Without a match the class becomes the target's void and is reported as lost.

    Raises:
        LabelSpaceError: a class has no match and the target has no void class.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> build_mapping(load_label_space("cityscapes34"), load_label_space("camvid11")).lost
    ('static', 'dynamic')
    """
    owners = {concept: target_class for target_class in target.classes for concept in target_class.concepts}
    voids = {target_class.id: target_class for target_class in target.classes}
    table = np.full(65536, UNMAPPED, np.uint8)
    rows = []
    for source_class in source.classes:
        match = _longest_match(source_class.concepts[0], owners)
        if match is None and target.void_id is not None:
            match = voids[target.void_id]
        if match is None:
            raise LabelSpaceError(
                f"class {source_class.name} ({source_class.concepts[0]}) of label space {source.name} has no "
                f"counterpart in {target.name}, which has no void class",
                hint=f"add the concept to a class of {target.name}, or give it a void class",
            )
        table[source_class.id] = target.channel_of(match.id)
        means_void = source_class.id == source.void_id or source_class.concepts[0].split(".")[0] == "void"
        is_lost = match.id == target.void_id and not means_void
        rows.append(MappingRow(source_class.id, source_class.name, match.id, match.name, is_lost))
    if source.void_id is not None:
        table[list(source.also_void_ids)] = table[source.void_id]
    table.setflags(write=False)
    return LabelMapping(source, target, table, tuple(rows), tuple(row.source_name for row in rows if row.is_lost))


def _longest_match(concept: str, owners: dict[str, LabelClass]) -> LabelClass | None:
    parts = concept.split(".")
    for length in range(len(parts), 0, -1):
        owner = owners.get(".".join(parts[:length]))
        if owner is not None:
            return owner
    return None
