"""The last images of a sequence, one per variant: what the next frame's image is made from."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.frame.decode import DecodedFrame


@dataclass(frozen=True)
class Last:
    """The last image: its frame, its look, and the image (h, w, 3) itself."""

    frame: DecodedFrame
    look: Hashable
    photo: NDArray[np.uint8]


class ImageHistory:
    """Images of a shard's frames in order; a shard holds whole sequences, so that it depends on no other one.

    It starts anew with a sequence, after a gap, a frame that was left out, another size, and another look, which the
    gate may ask for.

    Args:
        steps: sequence id -> the usual difference of its frame numbers, over all splits.
    """

    def __init__(self, steps: Mapping[str, int | None]) -> None:
        self._last: dict[int, Last] = {}
        self._steps = steps

    def find(self, frame: DecodedFrame, look: Hashable, variant: int) -> Last | None:
        """The image of the frame before this one, of the same look; None where there is none."""
        last = self._last.get(variant)
        return last if last is not None and last.look == look and is_next(last.frame, frame, self._steps) else None

    def keep(self, photo: NDArray[np.uint8], frame: DecodedFrame, look: Hashable, variant: int) -> None:
        """Remember an image that is written."""
        self._last[variant] = Last(frame, look, photo)


def is_next(before: DecodedFrame, after: DecodedFrame, steps: Mapping[str, int | None]) -> bool:
    """Whether a frame is the one after another in its sequence, of the same size.

    Args:
        steps: sequence id -> the usual difference of its frame numbers.
    """
    return (
        before.ref.sequence_id == after.ref.sequence_id
        and after.ref.frame_index - before.ref.frame_index == steps.get(after.ref.sequence_id)
        and before.render.shape == after.render.shape
    )
