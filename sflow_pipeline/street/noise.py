"""Seamless noise tiles and how to lay them over surfaces."""

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
TILE_PX = 512
_FOLD_PX = 1024


def build_tile(seed: tuple[int, ...], *, slope: float, coarsest: float = 0.0) -> Plane:
    """(512, 512) float32 noise that repeats without a seam; mean 0, standard deviation 1.

    Args:
        seed: identity of the tile.
        slope: how quickly fine detail fades: 0 is white noise, 1 looks like stone, 2 like clouds.
        coarsest: structures larger than the tile divided by this are left out.
    """
    white = np.random.default_rng(seed).standard_normal((TILE_PX, TILE_PX))
    frequency = np.hypot(np.fft.fftfreq(TILE_PX)[:, None], np.fft.rfftfreq(TILE_PX)[None]) * TILE_PX
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(white) * frequency**-slope * (frequency >= coarsest)
    tile = np.fft.irfft2(spectrum, s=white.shape)
    return np.asarray((tile - tile.mean()) / tile.std(), np.float32)


def lay_tile(tile: Plane, u: Plane, v: Plane, per_metre: float) -> Plane:
    """The tile's value at each (u, v) in metres, of any one shape, ``per_metre`` tile pixels to the metre."""
    if u.ndim == 2:
        return _sample(tile, u * np.float32(per_metre), v * np.float32(per_metre))
    # The sampler takes pictures of at most 32767 px a side: fold the list into rows.
    rows = -(-len(u) // _FOLD_PX)
    grid = np.zeros((2, rows * _FOLD_PX), np.float32)
    grid[0, : len(u)], grid[1, : len(u)] = u * np.float32(per_metre), v * np.float32(per_metre)
    if rows == 0:
        return np.zeros(0, np.float32)
    return _sample(tile, *grid.reshape(2, rows, _FOLD_PX)).reshape(-1)[: len(u)]


def _sample(tile: Plane, x: Plane, y: Plane) -> Plane:
    return np.asarray(cv2.remap(tile, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32)
