"""The Laplacian edge extractor on one picture by OpenCV, for what does not load torch."""

import cv2
import numpy as np
from numpy.typing import NDArray

#: DNED predicts strengths from 0 to 255; this much counts as an edge.
EDGE_STRENGTH = 128


def detect_edges(photo: NDArray[np.uint8], threshold: float) -> NDArray[np.bool_]:
    """(h, w) Laplacian edges of a (h, w, 3) uint8 RGB picture: ``extract_edges`` by OpenCV."""
    luma = cv2.cvtColor(photo.astype(np.float32) / 255.0, cv2.COLOR_RGB2GRAY)
    smooth = cv2.GaussianBlur(luma, (3, 3), 0)
    return np.asarray(np.abs(cv2.Laplacian(smooth, cv2.CV_32F, ksize=1)) > threshold)
