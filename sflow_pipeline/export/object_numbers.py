"""Numbers of objects in layouts that count them per class: an object keeps its number for a whole sequence."""

from collections import defaultdict
from collections.abc import Sequence

from sflow_pipeline.export.instances import Instance


class ObjectNumbers:
    """Numbers given so far in each sequence.

    An object gets the number that the simulator gave it where the layout has it and it is free, else the smallest
    free one from 1. If a sequence has more objects of a class than the layout has numbers, the number that was unused
    for longest is given again.

    Args:
        allowed: the numbers that the layout has.

    Attributes:
        reused: how often a number was given to a second object of its sequence.
        dropped: objects without a number, because every number was taken in their own frame.
    """

    def __init__(self, allowed: range) -> None:
        self._allowed = allowed
        self._sequences: dict[str, dict[int, _ClassNumbers]] = defaultdict(lambda: defaultdict(_ClassNumbers))
        self._clock = 0
        self.reused = self.dropped = 0

    def number_frame(
        self, sequence_id: str, instances: Sequence[Instance], class_ids: Sequence[int]
    ) -> list[int | None]:
        """A number for each object of a frame, unique within its class; None where the layout has too few.

        Args:
            sequence_id: of the frame.
            instances: of the frame.
            class_ids: the class that each has in the export.
        """
        self._clock += 1
        classes = self._sequences[sequence_id]
        numbers: list[int | None] = [None] * len(instances)
        # Objects that have a number keep it, then those whose own number is free take it, then the others.
        for find in (self._find_known, self._find_own, self._find_free):
            for position, (instance, class_id) in enumerate(zip(instances, class_ids, strict=True)):
                if numbers[position] is None:
                    found = find(classes[class_id], instance)
                    numbers[position] = found
                    if found is not None:
                        classes[class_id].note(instance.object_id, found, self._clock)
        self.dropped += numbers.count(None)
        return numbers

    def describe(self) -> tuple[str, ...]:
        """Notes for the user."""
        limit = len(self._allowed)
        notes = []
        if self.reused:
            notes.append(f"{self.reused} objects share a number with an earlier one of their sequence: {limit} a class")
        if self.dropped:
            notes.append(f"{self.dropped} objects have no number: the layout has {limit} for a class")
        return tuple(notes)

    def _find_known(self, given: "_ClassNumbers", instance: Instance) -> int | None:
        return given.number_of.get(instance.object_id)

    def _find_own(self, given: "_ClassNumbers", instance: Instance) -> int | None:
        is_free = instance.number in self._allowed and instance.number not in given.used_at
        return instance.number if is_free else None

    def _find_free(self, given: "_ClassNumbers", _instance: Instance) -> int | None:
        while given.next_free in given.used_at:
            given.next_free += 1
        if given.next_free in self._allowed:
            return given.next_free
        idle = [(used_at, number) for number, used_at in given.used_at.items() if used_at < self._clock]
        self.reused += bool(idle)
        return min(idle)[1] if idle else None


class _ClassNumbers:
    """Numbers of one class in one sequence."""

    def __init__(self) -> None:
        self.number_of: dict[int, int] = {}
        self.used_at: dict[int, int] = {}
        self.next_free = 1
        self._owners: dict[int, int] = {}

    def note(self, object_id: int, number: int, clock: int) -> None:
        """An object has this number now; whoever had it before has it no more."""
        former = self._owners.get(number)
        if former is not None and former != object_id:
            del self.number_of[former]
        self._owners[number] = object_id
        self.number_of[object_id] = number
        self.used_at[number] = clock
