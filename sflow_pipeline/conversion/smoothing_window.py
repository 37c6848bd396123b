"""The frames around one that is smoothed, and their images as they come from the model."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.decode import DecodedFrame
from sflow_pipeline.conversion.smoothing import REACH, Path, Shown, blend, find_paths
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.simulators.frame_table import find_usual_step

if TYPE_CHECKING:
    from sflow_pipeline.bundle.translator import Translation


@dataclass
class _Place:
    """A frame of the window, what it shows, and its images by variant: the look's identity and the image."""

    frame: DecodedFrame
    shown: Shown
    images: dict[int, tuple[Hashable, "Translation"]] = field(default_factory=dict)


class SmoothingWindow:
    """Consecutive frames of a sequence: those up to ``REACH`` before and after the one that is being painted.

    It ends at a gap, a frame that was left out, one without flow where flow is the simulator's, and another size. What
    the gate thinks of a neighbour does not count, and images of another look are not blended.

    Args:
        share: of the neighbours' images; see ``blend``.
        frames: of the shard, which holds whole sequences.
        measures_flow: the motion is measured in the renders, because the dump states none.
    """

    def __init__(self, share: float, frames: Sequence[FrameRef], *, measures_flow: bool) -> None:
        self._share = share
        self._measures_flow = measures_flow
        self._places: list[_Place] = []
        self._index = 0
        self._paths: dict[int, Path] | None = None
        numbers: dict[str, list[int]] = {}
        for frame in frames:
            numbers.setdefault(frame.sequence_id, []).append(frame.frame_index)
        self._steps = {name: find_usual_step(found) for name, found in numbers.items()}

    def move_to(self, frame: DecodedFrame, following: Sequence[DecodedFrame]) -> None:
        """Make a frame the one that is painted; ``following`` are those after it, as many as ``REACH`` if there are."""
        known = {place.frame.ref.sample_id: place for place in self._places}
        if self._places and self._places[self._index].frame.ref.sample_id == frame.ref.sample_id:
            return
        before = [place.frame for place in self._places[: self._index + 1]][-REACH:]
        run = [frame]
        for earlier in reversed(before):
            if not self._follows(earlier, run[0]):
                break
            run.insert(0, earlier)
        self._index = len(run) - 1
        for later in following[:REACH]:
            if not self._follows(run[-1], later):
                break
            run.append(later)
        self._places = [known.get(item.ref.sample_id) or _Place(item, _show(item)) for item in run]
        self._paths = None
        if self._measures_flow:
            from sflow_pipeline.networks.optical_flow import measure_flow  # with torch, see ``motion_source.py``

            for place, later in zip(self._places[:-1], run[1:], strict=True):
                if place.shown.motion is None:
                    place.shown = Shown(
                        place.shown.render, place.shown.classes, measure_flow(place.shown.render, later.render)
                    )

    def find(self, look: Hashable, variant: int) -> "Translation | None":
        """The image of the frame that is painted, as it came from the model, where it was a neighbour's before."""
        kept = self._places[self._index].images.get(variant)
        return kept[1] if kept is not None and kept[0] == look else None

    def smooth(
        self,
        image: NDArray[np.uint8],
        look: Hashable,
        variant: int,
        translate: Callable[[DecodedFrame], "tuple[Hashable, Translation] | None"],
    ) -> NDArray[np.uint8]:
        """An image of the frame that is painted, blended with those of its neighbours that have the same look.

        Args:
            image: (h, w, 3), from the model.
            look: its identity.
            variant: its number.
            translate: makes the first image of a neighbour; None where that fails.
        """
        if self._paths is None:
            self._paths = find_paths([place.shown for place in self._places], self._index)
        others = []
        for offset, path in self._paths.items():
            place = self._places[self._index + offset]
            if variant not in place.images and (made := translate(place.frame)) is not None:
                place.images[variant] = made
            kept = place.images.get(variant)
            if kept is not None and kept[0] == look:
                others.append((kept[1].photo[0], path))
        return blend(image, others, self._share)

    def keep(self, look: Hashable, translation: "Translation", variant: int) -> None:
        """Remember the first image of the frame that is painted, for its neighbours."""
        self._places[self._index].images.setdefault(variant, (look, translation))

    def _follows(self, before: DecodedFrame, after: DecodedFrame) -> bool:
        return (
            before.ref.sequence_id == after.ref.sequence_id
            and after.ref.frame_index - before.ref.frame_index == self._steps.get(after.ref.sequence_id)
            and before.render.shape == after.render.shape
            and (self._measures_flow or before.motion is not None)
        )


def _show(frame: DecodedFrame) -> Shown:
    return Shown(frame.render, frame.class_index, frame.motion)
