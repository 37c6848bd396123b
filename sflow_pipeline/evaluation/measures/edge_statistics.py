"""Density and direction of edges, in rendered frames, as DNED predicts them, and in real photos.

DNED turns the edge map of a rendered frame into one that a photo could have. Where it succeeds, its prediction is
closer to real photos than the frame's own edges are, by both distances below.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

#: Density is measured in squares of this side.
TILE_PX = 32
#: Bounds of the density histogram: the share of a square's pixels that are edges; finer where most squares are.
DENSITY_BOUNDS = (0.0, 0.005, 0.01, 0.02, 0.04, 0.06, 0.09, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0)
#: Bins of the orientation histogram over 180 degrees; the first is centred on horizontal lines.
ORIENTATION_BINS = 12
_SMOOTHING_PX = 1.5


@dataclass(frozen=True)
class EdgeStatistics:
    """Edges of a set of pictures.

    Attributes:
        n: pictures.
        density: share of all pixels that are edges.
        density_histogram: share of the squares per bin of ``DENSITY_BOUNDS``, summing to 1.
        orientation_histogram: share of the edge pixels per direction of the line, bin k centred on k·180/12 degrees
            against the horizontal, counter-clockwise, summing to 1; zeros where there is no edge.
    """

    n: int
    density: float
    density_histogram: tuple[float, ...]
    orientation_histogram: tuple[float, ...]


def compute_edge_statistics(edge_maps: Iterable[NDArray[np.bool_]]) -> EdgeStatistics:
    """Statistics of (h, w) edge maps, each at least one tile wide and high, all pixels of all pictures together.

    Raises:
        ValueError: no picture, or one smaller than a tile.
    """
    n = edge_pixels = pixels = 0
    tiles = np.zeros(len(DENSITY_BOUNDS) - 1)
    directions = np.zeros(ORIENTATION_BINS)
    for edges in edge_maps:
        n, edge_pixels, pixels = n + 1, edge_pixels + int(edges.sum()), pixels + edges.size
        tiles += np.histogram(_measure_tiles(edges), DENSITY_BOUNDS)[0]
        directions += count_orientations(edges)
    if not n:
        raise ValueError("no edge map: at least one is needed")
    return EdgeStatistics(n, edge_pixels / pixels, _normalise(tiles), _normalise(directions))


def count_orientations(edges: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Edge pixels by the direction of the line they lie on: (12,) counts.

    The direction is that of the structure tensor of the smoothed edge map, so it depends on the edges alone and is
    the same measure for a Laplacian map and for DNED's prediction.

    >>> lines = np.zeros((40, 40), bool); lines[20] = True
    >>> count_orientations(lines).argmax(), count_orientations(lines.T).argmax()
    (np.int64(0), np.int64(6))
    """
    smooth = cv2.GaussianBlur(edges.astype(np.float32), (0, 0), _SMOOTHING_PX)
    gx, gy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    xx, yy, xy = (cv2.GaussianBlur(product, (0, 0), _SMOOTHING_PX) for product in (gx * gx, gy * gy, gx * gy))
    across = 0.5 * np.arctan2(2.0 * xy, xx - yy)  # steepest direction, image rows pointing down
    degrees = np.rad2deg(-across) + 90.0
    bins = np.rint(degrees[edges] / (180.0 / ORIENTATION_BINS)).astype(np.int64) % ORIENTATION_BINS
    return np.bincount(bins, minlength=ORIENTATION_BINS).astype(np.float64)


def compute_total_variation(first: Iterable[float], second: Iterable[float]) -> float:
    """Half the sum of absolute differences of two histograms that sum to 1: 0 the same, 1 nothing in common.

    >>> compute_total_variation((0.5, 0.5, 0.0), (0.0, 0.5, 0.5))
    0.5
    """
    return 0.5 * float(np.abs(np.array(tuple(first)) - np.array(tuple(second))).sum())


def _measure_tiles(edges: NDArray[np.bool_]) -> NDArray[np.float64]:
    rows, columns = edges.shape[0] // TILE_PX, edges.shape[1] // TILE_PX
    if not rows or not columns:
        raise ValueError(f"edge map {edges.shape}: expected at least {TILE_PX}x{TILE_PX} pixels")
    whole = edges[: rows * TILE_PX, : columns * TILE_PX]
    return np.asarray(whole.reshape(rows, TILE_PX, columns, TILE_PX).mean(axis=(1, 3)), np.float64).ravel()


def _normalise(counts: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple((counts / max(counts.sum(), 1.0)).tolist())
