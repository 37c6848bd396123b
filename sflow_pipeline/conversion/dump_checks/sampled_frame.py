"""One frame of the sample that is checked for contradictions, with what was measured on it."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from sflow_pipeline.frames import FrameRef

#: Ends the message of every contradiction that stops a conversion.
GO_ON = "or go on all the same with --contradictions ignore"


@dataclass(frozen=True)
class SampledFrame:
    """Measurements of a frame.

    ``before``, ``after`` and ``flipped`` compare the picture's edges with the borders of its own label and with those
    of the neighbours in its sequence, and of its own one mirrored; None where they cannot be compared.

    Attributes:
        frame: which one it is.
        label_map: (h, w) class ids.
        tints: see ``channel_order.measure_tints``.
        picture_digest: of the picture's pixels; empty for one that shows nothing.
    """

    frame: FrameRef
    label_map: NDArray[Any]
    tints: tuple[float, float] | None
    before: tuple[float, float] | None
    after: tuple[float, float] | None
    flipped: tuple[float, float] | None
    picture_digest: str = ""
