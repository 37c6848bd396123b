"""Judges a converted photo: does it still show what its label says?"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_TOLERANCE = np.ones((3, 3), np.uint8)
#: DNED answers with strengths; from here up it says "edge".
_EDGE_STRENGTH = 128


@dataclass(frozen=True, slots=True)
class GateScore:
    """Scores of one photo, each in [0, 1], None where nothing measured it; ``verdict`` as in ``GATE_VERDICTS``."""

    fidelity_acc: float | None
    fidelity_miou: float | None
    edge_f1: float
    verdict: str


def judge_photo(photo: NDArray[np.uint8], edge: NDArray[np.uint8], threshold: float) -> GateScore:
    """Score a photo against the edges it was asked for.

    Args:
        photo: (h, w, 3) uint8 RGB.
        edge: (h, w) uint8, DNED's answer.
        threshold: of the Laplacian edge extractor.
    """
    found = detect_edges(photo, threshold)
    return GateScore(None, None, compute_edge_f1(found, edge >= _EDGE_STRENGTH), "accepted")


def detect_edges(photo: NDArray[np.uint8], threshold: float) -> NDArray[np.bool_]:
    """(h, w) Laplacian edges as ``networks.edges`` finds them, on the host."""
    luma = cv2.cvtColor(photo.astype(np.float32) / 255.0, cv2.COLOR_RGB2GRAY)
    smooth = cv2.GaussianBlur(luma, (3, 3), 0)
    return np.asarray(np.abs(cv2.Laplacian(smooth, cv2.CV_32F, ksize=1)) > threshold)


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
    count = int(edges.sum())
    near = cv2.dilate(others.view(np.uint8), _TOLERANCE).view(bool)
    return float((edges & near).sum()) / count if count else 0.0
