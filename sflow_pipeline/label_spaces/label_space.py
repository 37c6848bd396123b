"""A label space: which class ids a label map may hold, what they mean and how they are drawn."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from sflow_pipeline.errors import LabelSpaceError

Color = tuple[int, int, int]


@dataclass(frozen=True)
class LabelClass:
    """One class of a label space.

    Attributes:
        id: the value in label maps, 0 to 65534.
        name: unique within its space.
        concepts: dotted paths. The first is the class's own; all of them together are what it absorbs, each with
            everything below it, when labels are mapped to this space.
        color: RGB, 0 to 255, as its makers draw it.
        also_colors: other colours that published files draw it in; read, never written.
        derived: in no file; a dump's label rule makes it (CARLA's sky before 0.9.10).
    """

    id: int
    name: str
    concepts: tuple[str, ...]
    color: Color
    also_colors: tuple[Color, ...] = ()
    derived: bool = False


@dataclass(frozen=True)
class LabelSpace:
    """A named, versioned class table. A class's position in ``classes`` is its channel in a semantic map.

    ``void_id`` is the id of the class for everything that has no other, None where there is no such class;
    ``also_void_ids`` are further ids in label maps that mean the same.
    """

    name: str
    version: int
    classes: tuple[LabelClass, ...]
    void_id: int | None
    also_void_ids: tuple[int, ...] = ()
    source: str = ""

    def ids(self) -> frozenset[int]:
        """Every id that a label map of this space may hold."""
        return frozenset(self._channels)

    @property
    def num_classes(self) -> int:
        """How many channels a semantic map of this space has; void counts."""
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in channel order."""
        return tuple(label_class.name for label_class in self.classes)

    @property
    def void_channel(self) -> int | None:
        """The channel of the void class, None where there is none."""
        return None if self.void_id is None else self._channels[self.void_id]

    @property
    def void_channels(self) -> tuple[int, ...]:
        """Channels of void and of its kinds, such as Cityscapes' ego vehicle: no class to learn or to score."""
        return tuple(
            channel
            for channel, item in enumerate(self.classes)
            if item.id == self.void_id or (item.concepts and item.concepts[0].split(".")[0] == "void")
        )

    @property
    def vehicle_channels(self) -> tuple[int, ...]:
        """The channels of vehicles but bicycles.

        >>> from sflow_pipeline.label_spaces import load_label_space
        >>> load_label_space("camvid11").vehicle_channels
        (8,)
        >>> load_label_space("carla-0.9.13").vehicle_channels
        (10,)
        """
        return tuple(
            channel
            for channel, item in enumerate(self.classes)
            if item.concepts and item.concepts[0].split(".")[0] == "vehicle" and "bicycle" not in item.concepts[0]
        )

    def channel_of(self, class_id: int) -> int:
        """The channel of an id.

        Raises:
            LabelSpaceError: the id is not in this space.
        """
        try:
            return self._channels[class_id]
        except KeyError:
            raise LabelSpaceError(
                f"label space {self.name}: id {class_id} is not one of its {len(self._channels)} ids",
                hint="check which label space the labels follow, and name it with --label-space",
            ) from None

    @cached_property
    def digest(self) -> str:
        """sha256 hex of everything that decides what label maps mean; the source note does not count."""
        content = [
            self.name,
            self.version,
            self.void_id,
            list(self.also_void_ids),
            [[c.id, c.name, c.concepts, c.color, c.also_colors, c.derived] for c in self.classes],
        ]
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()

    @cached_property
    def _channels(self) -> dict[int, int]:
        channels = {label_class.id: channel for channel, label_class in enumerate(self.classes)}
        if self.void_id is not None:
            channels.update(dict.fromkeys(self.also_void_ids, channels[self.void_id]))
        return channels
