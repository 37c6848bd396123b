"""World position of each pixel's surface, and the drawing on it: road markings, paving, windows.

Both looks colour the same drawing, so that they show one scene. Edges are softened to about a pixel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.street.buffers import Buffers
from sflow_pipeline.street.mesh import Material
from sflow_pipeline.street.scene import LANE_M, StreetScene

Plane = NDArray[np.float32]
_FAR_M = np.float32(5000.0)


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Geometry per pixel, all (h, w).

    Attributes:
        x, y, z: float32 world position, metres (of the sky: somewhere far along the ray).
        depth: float32 metres.
        footprint: float32, how many metres one pixel spans across the view.
        upward: float32 the ray's rise, y / length, negative looking up.
        material: uint8 Material.
    """

    x: Plane
    y: Plane
    z: Plane
    depth: Plane
    footprint: Plane
    upward: Plane
    material: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Windows:
    """Facade pixels by flat index, how much of each is glass and frame, and a random tone per window in [0, 1]."""

    pixel: NDArray[np.int64]
    glass: Plane
    frame: Plane
    tone: Plane


def locate_surfaces(scene: StreetScene, buffers: Buffers) -> Surfaces:
    """World positions of all pixels."""
    lens = scene.lens
    cx, cy = lens.centre_px
    height, width = buffers.face.shape
    ray_x = ((np.arange(width) - cx) / lens.focal_px).astype(np.float32)[None]
    ray_y = ((np.arange(height) - cy) / lens.focal_px).astype(np.float32)[:, None]
    rotation, position = buffers.camera_pose[:3, :3].astype(np.float32), buffers.camera_pose[:3, 3].astype(np.float32)
    depth = np.reciprocal(np.maximum(buffers.inverse_depth, 1 / _FAR_M))
    rays = [rotation[i, 0] * ray_x + (rotation[i, 1] * ray_y + rotation[i, 2]) for i in range(3)]
    x, y, z = (ray * depth + position[i] for i, ray in enumerate(rays))
    upward = rays[1] / np.sqrt(1.0 + ray_x**2 + ray_y**2)
    material = scene.faces.material[buffers.face]
    footprint = depth * np.float32(1.0 / lens.focal_px)
    return Surfaces(x, y, z, depth, footprint, upward, material)


def draw_markings(scene: StreetScene, surfaces: Surfaces, camera_height_m: float) -> tuple[NDArray[np.int64], Plane]:
    """Asphalt pixels by flat index, and how much of each is white paint."""
    street = scene.street
    pixel = np.flatnonzero(surfaces.material == Material.ASPHALT)
    x, z = surfaces.x.reshape(-1)[pixel], surfaces.z.reshape(-1)[pixel]
    across = surfaces.footprint.reshape(-1)[pixel]
    along = across * surfaces.depth.reshape(-1)[pixel] / np.float32(camera_height_m)
    begin, end = street.crossings[:, 0].astype(np.float32), street.crossings[:, 1].astype(np.float32)
    which = np.minimum(np.searchsorted(end + 6.0, z), len(end) - 1)
    begin, end = begin[which], end[which]
    wide = np.abs(x)
    open_road = 1.0 - _inside(z, begin - 6.2, end + 1.0, along)
    dash = z % np.float32(6.0)
    paint = _inside(x, -0.07, 0.07, across) * _inside(dash, 0.0, 3.0, along)
    short = z % np.float32(2.0)
    paint = np.maximum(paint, _inside(wide, LANE_M - 0.05, LANE_M + 0.05, across) * _inside(short, 0.0, 1.0, along))
    paint *= open_road
    stripes = x % np.float32(1.0)
    zebra = _inside(z, begin - 4.0, begin - 1.0, along) * _inside(stripes, 0.25, 0.75, across)
    paint = np.maximum(paint, zebra * (wide < street.half_width_m - 0.3))
    stop = _inside(z, begin - 5.6, begin - 5.2, along) * _inside(x, 0.15, LANE_M - 0.1, across)
    return pixel, np.maximum(paint, stop)


def draw_paving(scene: StreetScene, surfaces: Surfaces) -> tuple[NDArray[np.int64], Plane]:
    """Pavement pixels by flat index and a tone around 1: joints darker, kerb stones lighter."""
    pixel = np.flatnonzero(surfaces.material == Material.PAVING)
    x, z = surfaces.x.reshape(-1)[pixel], surfaces.z.reshape(-1)[pixel]
    across = surfaces.footprint.reshape(-1)[pixel]
    along = across * surfaces.depth.reshape(-1)[pixel] / np.float32(1.5)
    joints = np.maximum(_inside(x % np.float32(0.8), 0.0, 0.05, across), _inside(z % np.float32(0.8), 0.0, 0.05, along))
    kerb = _inside(np.abs(x), scene.street.half_width_m - 0.1, scene.street.half_width_m + 0.16, across)
    return pixel, 1.0 - 0.16 * joints * (1.0 - kerb) + 0.18 * kerb


def draw_windows(scene: StreetScene, buffers: Buffers, surfaces: Surfaces) -> Windows:
    """Rows of windows on every facade."""
    pixel = np.flatnonzero(surfaces.material == Material.FACADE)
    pattern = scene.faces.pattern[buffers.face.reshape(-1)[pixel]]
    axis, origin, pitch, storey, share, seed = pattern.T
    along = np.where(axis > 0, surfaces.z.reshape(-1)[pixel], surfaces.x.reshape(-1)[pixel])
    height = -surfaces.y.reshape(-1)[pixel]
    footprint = surfaces.footprint.reshape(-1)[pixel]
    slanted = np.where(axis > 0, footprint * 3.0, footprint)  # street fronts are seen at a slant
    place = (along - origin) / pitch
    bay, floor = np.floor(place), np.floor(height / storey)
    u, v = (place - bay) * pitch, height - floor * storey
    half, middle = share * pitch * 0.5, pitch * 0.5
    sill = np.where(floor < 1, 0.75, 0.95).astype(np.float32)
    lintel = np.minimum(storey - 0.45, 2.55)

    def rectangle(grow: float) -> Plane:
        inside = _inside(u, middle - half - grow, middle + half + grow, slanted)
        return inside * _inside(v, sill - grow, lintel + grow, footprint)

    glass, outer = rectangle(0.0), rectangle(0.11)
    cross = np.maximum(
        _inside(u, middle - 0.04, middle + 0.04, slanted), _inside(v, sill + 0.9, sill + 0.97, footprint)
    )
    glass *= 1.0 - cross
    mixed = np.sin(bay * 12.9898 + floor * 78.233 + seed * 37.719) * 43758.547
    return Windows(pixel, glass, np.clip(outer - glass, 0, 1), (mixed - np.floor(mixed)).astype(np.float32))


def _inside(value: Plane, low: float | Plane, high: float | Plane, footprint: Plane) -> Plane:
    """How much of a pixel ``footprint`` wide, centred on ``value``, lies between ``low`` and ``high``."""
    half = footprint * np.float32(0.5)
    covered = np.minimum(value + half, high) - np.maximum(value - half, low)
    return np.clip(covered / footprint, 0, 1).astype(np.float32, copy=False)
