"""The frames around those that are smoothed, and their images as they come from the model."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle.frame_threads import map_frames
from sflow_pipeline.conversion.frame.decode import DecodedFrame
from sflow_pipeline.conversion.motion.motion_source import MotionSource
from sflow_pipeline.conversion.motion.smoothing import REACH, Path, Shown, blend, find_paths
from sflow_pipeline.conversion.painting.fatal_errors import reraise_fatal
from sflow_pipeline.conversion.painting.image_history import is_next
from sflow_pipeline.conversion.painting.look import Look
from sflow_pipeline.networks.memory_shortage import is_out_of_memory

if TYPE_CHECKING:
    from sflow_pipeline.bundle.translator import Translation

_Made = TypeVar("_Made")
#: Images of frames as they come from the model, or the error that it raised for a frame.
TranslateEach = Callable[[Sequence[DecodedFrame], Sequence[Look]], "list[Translation | Exception]"]


@dataclass
class _Place:
    """A frame of the window, what it shows, and its first images by variant: the look's identity and the image."""

    frame: DecodedFrame
    shown: Shown
    is_linked: bool = False
    images: "dict[int, tuple[Hashable, Translation]]" = field(default_factory=dict)


class SmoothingWindow:
    """Frames in order: those that are being painted, and up to ``REACH`` before and after them.

    Nothing is blended over a gap, a frame that was left out, one without flow where flow is the simulator's, or another
    size. What the gate thinks of a neighbour does not count, and images of another look are not blended.

    Args:
        motion: how far images are blended, and whether the motion is measured in the renders.
        steps: sequence id -> the usual difference of its frame numbers.
        before: the frames before the first one that is painted.
        is_parallel: several frames are smoothed at once.
    """

    def __init__(
        self,
        motion: MotionSource,
        steps: Mapping[str, int | None],
        before: Sequence[DecodedFrame] = (),
        *,
        is_parallel: bool = False,
    ) -> None:
        self._motion = motion
        self._steps = steps
        self._is_parallel = is_parallel
        self._places = [_Place(frame, _show(frame)) for frame in before]
        self._at: dict[str, int] = {}
        self._paths: dict[int, dict[int, Path]] = {}

    def move_to(self, frames: Sequence[DecodedFrame], following: Sequence[DecodedFrame]) -> None:
        """Make frames those that are painted; ``following`` are those after them, ``REACH`` if there are."""
        known = {place.frame.ref.sample_id: place for place in self._places}
        first = self._at.get(frames[0].ref.sample_id, len(self._places))
        run = self._places[max(0, first - REACH) : first]
        for frame in (*frames, *following[:REACH]):
            run.append(known.get(frame.ref.sample_id) or _Place(frame, _show(frame)))
        for place, later in pairwise(run):
            if not place.is_linked:
                motion = self._find_motion(place.frame, later.frame)
                place.shown = Shown(place.shown.render, place.shown.classes, motion)
                place.is_linked = True
        self._places = run
        self._at = {place.frame.ref.sample_id: i for i, place in enumerate(run)}
        self._paths = {}

    def translate(
        self,
        frames: Sequence[DecodedFrame],
        looks: Sequence[Look],
        variant: int,
        translate_each: TranslateEach,
        draw_look: Callable[[DecodedFrame], Look],
    ) -> "Translation":
        """Smoothed images of frames that are painted.

        Args:
            frames: some of them.
            looks: of each.
            variant: its number.
            translate_each: the model.
            draw_look: the look of a neighbour's first image.

        Raises:
            Exception: what the model raised for one of the frames; a neighbour's is raised when its turn comes.
        """
        wanted: dict[int, tuple[DecodedFrame, Look]] = {}
        own = [self._at[frame.ref.sample_id] for frame in frames]
        for index, frame, look in zip(own, frames, looks, strict=True):
            if self._find(index, look.identity, variant) is None:
                wanted[index] = (frame, look)
        self._map(self._find_paths, own)
        for neighbour in sorted({index + offset for index in own for offset in self._find_paths(index)} - set(own)):
            place = self._places[neighbour]
            if variant not in place.images:
                wanted[neighbour] = (place.frame, draw_look(place.frame))
        results = translate_each([frame for frame, _ in wanted.values()], [look for _, look in wanted.values()])
        made = dict(zip(wanted, results, strict=True))
        for index, result in made.items():
            if not isinstance(result, Exception):
                self._places[index].images.setdefault(variant, (wanted[index][1].identity, result))
        images: list[Translation] = []
        for index, look in zip(own, looks, strict=True):
            image = self._find(index, look.identity, variant) or made[index]
            if isinstance(image, Exception):
                raise image
            images.append(image)
        identities = [look.identity for look in looks]
        photos = self._map(self._smooth, [image.photo[0] for image in images], own, identities, [variant] * len(own))
        return replace(images[0], photo=np.stack(photos), edge=np.concatenate([image.edge for image in images]))

    def _map(self, function: Callable[..., _Made], *arguments: Sequence[Any]) -> list[_Made]:
        return map_frames(function, *arguments) if self._is_parallel else list(map(function, *arguments))

    def _smooth(self, image: NDArray[np.uint8], index: int, look: Hashable, variant: int) -> NDArray[np.uint8]:
        """An image, blended with those of its neighbours that have the same look."""
        others = {}
        for offset, path in self._find_paths(index).items():
            kept = self._find(index + offset, look, variant)
            if kept is not None:
                others[offset] = (kept.photo[0], path)
        return blend(image, others, self._number(self._places[index].frame), self._motion.share)

    def _find(self, index: int, look: Hashable, variant: int) -> "Translation | None":
        kept = self._places[index].images.get(variant)
        return kept[1] if kept is not None and kept[0] == look else None

    def _find_paths(self, index: int) -> dict[int, Path]:
        if index not in self._paths:
            self._paths[index] = find_paths([place.shown for place in self._places], index)
        return self._paths[index]

    def _number(self, frame: DecodedFrame) -> int:
        """The number of a frame, counted in the sequence's usual steps."""
        return frame.ref.frame_index // (self._steps.get(frame.ref.sequence_id) or 1)

    def _find_motion(self, before: DecodedFrame, after: DecodedFrame) -> NDArray[np.float32] | None:
        """The motion from a frame to the next one of the window; None where that does not follow."""
        if not is_next(before, after, self._steps):
            return None
        if not self._motion.is_measured:
            return before.motion
        from sflow_pipeline.networks.motion.optical_flow import measure_flow  # with torch, see ``motion_source.py``

        return measure_flow(before.render, after.render)


def _show(frame: DecodedFrame) -> Shown:
    return Shown(frame.render, frame.class_index)


def translate_each(
    translate: "Callable[[Sequence[DecodedFrame], Sequence[Look]], Translation]",
    batch_size: int,
    frames: Sequence[DecodedFrame],
    looks: Sequence[Look],
) -> "list[Translation | Exception]":
    """The images of frames, translated in batches; where one fails, each of its frames alone, or the error it raises.

    Raises:
        SflowError, MemoryError, …: a fault of the job or the machine, and not of a frame.
    """
    results: list[Translation | Exception] = []
    for start in range(0, len(frames), batch_size):
        part = slice(start, start + batch_size)
        try:
            batch = translate(frames[part], looks[part])
        except Exception as error:
            if is_out_of_memory(error):
                raise
            reraise_fatal(error)
            is_alone = len(frames[part]) == 1
            results += [error] if is_alone else translate_each(translate, 1, frames[part], looks[part])
            continue
        for i in range(len(batch.photo)):
            results.append(replace(batch, photo=batch.photo[i : i + 1], edge=batch.edge[i : i + 1]))
    return results
