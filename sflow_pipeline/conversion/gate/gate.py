"""The gate: scores converted images and decides whether they are accepted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle.frame_threads import map_frames
from sflow_pipeline.conversion.frame.decode import DecodedFrame
from sflow_pipeline.networks.edges.picture_edges import EDGE_STRENGTH, detect_edges

if TYPE_CHECKING:
    from sflow_pipeline.bundle.translator import Translation

_TOLERANCE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The gate's result for one image.

    Attributes:
        scores: score column -> value.
        is_accepted: whether the image may become a row.
    """

    scores: Mapping[str, float | str | None]
    is_accepted: bool = True


class Gate(Protocol):
    """Judges images between translation and encoding; one per worker, in the thread that owns the device."""

    @property
    def retries(self) -> int:
        """How often an image that is not accepted is painted again with another look."""

    def judge(
        self,
        frames: Sequence[DecodedFrame],
        translation: "Translation",
        followed: Sequence[NDArray[np.uint8]] | None = None,
    ) -> list[Judgement]:
        """Judge a batch.

        Args:
            frames: label, render and further files of each frame.
            translation: the images, one per frame.
            followed: the picture whose detail each image follows: the render in another light and with other paint on
                vehicles, where a variant has them; the renders themselves where None.

        Returns:
            one judgement per frame; ``scores`` has a value for every required score column of the schema.
        """


#: Called once in every worker; must be picklable.
GateFactory = Callable[[], Gate]


@dataclass(frozen=True)
class EdgeGate:
    """Scores how well images follow the requested edges, and accepts all.

    Attributes:
        threshold: of the Laplacian edge extractor.
    """

    threshold: float
    retries: int = 0

    def judge(
        self,
        frames: Sequence[DecodedFrame],  # noqa: ARG002
        translation: "Translation",
        followed: Sequence[NDArray[np.uint8]] | None = None,  # noqa: ARG002
    ) -> list[Judgement]:
        """See ``Gate.judge``."""
        return map_frames(self._judge, translation.photo, translation.edge)

    def _judge(self, photo: NDArray[np.uint8], edge: NDArray[np.uint8]) -> Judgement:
        return Judgement({"edge_f1": compute_edge_f1(detect_edges(photo, self.threshold), edge >= EDGE_STRENGTH)})


def compute_edge_f1(found: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> float:
    """F1 of two (h, w) edge maps, an edge counting as matched when the other has one within 1 px; 1 if both are empty.

    >>> edge = np.zeros((5, 5), bool); edge[2] = True
    >>> compute_edge_f1(np.roll(edge, 1, axis=0), edge), compute_edge_f1(np.roll(edge, 2, axis=0), edge)
    (1.0, 0.0)
    """
    if not found.any() and not wanted.any():
        return 1.0
    precision = _share_near(found, wanted)
    recall = _share_near(wanted, found)
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def _share_near(edges: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
    count = int(np.count_nonzero(edges))
    near = cv2.dilate(others.view(np.uint8), _TOLERANCE).view(bool)
    return int(np.count_nonzero(edges & near)) / count if count else 0.0
