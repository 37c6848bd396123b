"""A z-buffer for convex polygons, sampled at pixel centres, vectorised with NumPy.

Big polygons are filled one by one over their bounding box; the many small ones become one list of fragments.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Up to this bounding-box area a polygon goes into the common fragment list.
SMALL_AREA_PX = 800


@dataclass(frozen=True, slots=True)
class Polygons:
    """Screen polygons that are ready to fill.

    Attributes:
        points: (f, v, 2) float64 x, y in px; convex; padded with the last corner.
        corner_count: (f,) real corners of each.
        plane: (f, 3) a, b, c of nearness = a * x + b * y + c; the largest nearness wins a pixel.
        face: (f,) int64 the value to write.
    """

    points: NDArray[np.float64]
    corner_count: NDArray[np.int64]
    plane: NDArray[np.float64]
    face: NDArray[np.int64]


def fill_polygons(polygons: Polygons, nearness: NDArray[np.float32], face: NDArray[np.int32]) -> None:
    """Draw into ``nearness`` (h, w) float32 and ``face`` (h, w) int32, in place.

    A pixel belongs to a polygon when its centre does (left and upper edges count, right and lower do not), so
    polygons that share an edge neither overlap nor leave a gap.
    """
    if len(polygons.face) == 0:
        return
    height_px, width_px = face.shape
    first, rows, owner, row_y, left, right = _find_spans(polygons, width_px, height_px)
    if len(owner) == 0:
        return
    drawn = np.flatnonzero(rows)
    starts = first[drawn]
    box_left = np.minimum.reduceat(left, starts)
    box_right = np.maximum.reduceat(right, starts)
    area = np.zeros(len(rows), np.int64)
    area[drawn] = np.maximum(box_right - box_left, 0) * rows[drawn]
    columns = np.arange(width_px, dtype=np.float32)
    lefts, rights, ys = left.astype(np.float32), right.astype(np.float32), row_y.astype(np.float32)
    plane = polygons.plane.astype(np.float32)
    for i, x0, x1 in zip(drawn, box_left, box_right, strict=True):
        if area[i] <= SMALL_AREA_PX:
            continue
        span = slice(first[i], first[i] + rows[i])
        y0 = row_y[first[i]]
        x = columns[x0:x1]
        box = slice(y0, y0 + rows[i]), slice(x0, x1)
        a, b, c = plane[i]
        near = (a * x)[None] + (b * ys[span] + c)[:, None]
        hit = near > nearness[box]
        hit &= x[None] >= lefts[span, None]
        hit &= x[None] < rights[span, None]
        np.copyto(nearness[box], near, where=hit)
        face[box][hit] = polygons.face[i]
    _fill_small(polygons.face, plane, area, owner, row_y, left, right, nearness, face)


def _find_spans(
    polygons: Polygons, width_px: int, height_px: int
) -> tuple[
    NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]
]:
    """The rows each polygon covers and, per row, the pixels from ``left`` up to but not including ``right``."""
    start, end = polygons.points, np.roll(polygons.points, -1, axis=1)
    end[np.arange(len(end)), polygons.corner_count - 1] = start[:, 0]  # close before the padding begins
    # Both owners of a shared edge must compute the very same x: always walk it downwards.
    flip = start[:, :, 1] > end[:, :, 1]
    upper = np.where(flip[:, :, None], end, start)
    lower = np.where(flip[:, :, None], start, end)
    top = np.ceil(np.clip(upper[:, :, 1], -1, height_px + 1)).astype(np.int64)
    bottom = np.ceil(np.clip(lower[:, :, 1], -1, height_px + 1)).astype(np.int64)
    drop = lower[:, :, 1] - upper[:, :, 1]
    slope = (lower[:, :, 0] - upper[:, :, 0]) / np.where(drop > 0, drop, 1.0)
    y_first = np.clip(np.minimum.reduce(top.T.copy()), 0, height_px)
    rows = np.clip(np.maximum.reduce(bottom.T.copy()), 0, height_px) - y_first
    first = np.cumsum(rows) - rows
    owner = np.repeat(np.arange(len(rows)), rows)
    row_y = np.arange(len(owner)) - np.repeat(first - y_first, rows)
    low = np.full(len(owner), np.inf)
    high = np.full(len(owner), -np.inf)
    corners = np.repeat(polygons.corner_count, rows)
    edges = start.shape[1]
    for edge in range(edges):
        # Most polygons have three or four corners.
        chosen = np.flatnonzero(corners > edge) if edge > 2 else np.arange(len(owner))
        if len(chosen) == 0:
            break
        mine, y = owner[chosen], row_y[chosen]
        active = (y >= top[mine, edge]) & (y < bottom[mine, edge])
        chosen, mine, y = chosen[active], mine[active], y[active]
        x = upper[mine, edge, 0] + (y - upper[mine, edge, 1]) * slope[mine, edge]
        low[chosen] = np.minimum(low[chosen], x)
        high[chosen] = np.maximum(high[chosen], x)
    left = np.ceil(np.clip(low, 0, width_px)).astype(np.int64)
    right = np.ceil(np.clip(high, 0, width_px)).astype(np.int64)
    return first, rows, owner, row_y, left, np.maximum(right, left)


def _fill_small(
    names: NDArray[np.int64],
    plane: NDArray[np.float32],
    area: NDArray[np.int64],
    owner: NDArray[np.int64],
    row_y: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    nearness: NDArray[np.float32],
    face: NDArray[np.int32],
) -> None:
    """All polygons of at most SMALL_AREA_PX at once: fragments, sorted by nearness, the nearest written last."""
    width = right - left
    spans = np.flatnonzero((area[owner] <= SMALL_AREA_PX) & (width > 0))
    width = width[spans]
    if len(spans) == 0:
        return
    mine, y = owner[spans], row_y[spans]
    base = (plane[mine, 1] * y.astype(np.float32) + plane[mine, 2]).astype(np.float32)
    step = np.arange(width.sum()) - np.repeat(np.cumsum(width) - width, width)
    x = np.repeat(left[spans], width) + step
    near = np.repeat(plane[mine, 0], width) * x.astype(np.float32) + np.repeat(base, width)
    pixel = np.repeat(y * face.shape[1], width) + x
    depth, painted = nearness.reshape(-1), face.reshape(-1)
    wins = np.flatnonzero(near > depth[pixel])
    wins = wins[np.argsort(near[wins], kind="stable")]
    depth[pixel[wins]] = near[wins]
    painted[pixel[wins]] = np.repeat(names[mine], width)[wins]
