"""The ``camera`` look: the same scene with textures, sun, shadows and clouds, through a lens and a sensor."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.street.buffers import Buffers
from sflow_pipeline.street.lighting import Plane, Shadows, compute_lambert
from sflow_pipeline.street.mesh import Material
from sflow_pipeline.street.noise import TILE_PX, build_tile, lay_tile
from sflow_pipeline.street.scene import LANE_M, StreetScene
from sflow_pipeline.street.surfaces import (
    Surfaces,
    Windows,
    draw_markings,
    draw_paving,
    draw_windows,
    locate_surfaces,
)

_MATERIALS = len(Material)
#: Contrast of fine and of coarse texture by material; real paint and skin are nearly even.
_FINE = np.zeros(_MATERIALS, np.float32)
_COARSE = np.zeros(_MATERIALS, np.float32)
for _material, _fine, _coarse in (
    (Material.ASPHALT, 0.11, 0.05),
    (Material.PAVING, 0.10, 0.10),
    (Material.GRASS, 0.30, 0.16),
    (Material.FACADE, 0.06, 0.08),
    (Material.PLASTER, 0.06, 0.06),
    (Material.LEAVES, 0.40, 0.15),
):
    _FINE[_material], _COARSE[_material] = _fine, _coarse
_PAINT = np.array([0.62, 0.61, 0.57], np.float32)[:, None]  # linear light from here on
_FRAME = np.array([0.55, 0.54, 0.50], np.float32)[:, None]
_CLOUD_SHADE = np.array([1.0, 0.95, 0.88], np.float32)[:, None]
#: Entries of the tone curve for each unit of the square root of light.
_TONE_STEPS = 2047.5
_GLASS = np.array([0.020, 0.026, 0.032], np.float32)[:, None]


class CameraLook:
    """Colours the buffers of one scene like a dashboard camera."""

    def __init__(self, scene: StreetScene) -> None:
        self._scene, self._shadows = scene, Shadows(scene)
        seed = scene.seed
        self._stone = build_tile((*seed, 1), slope=0.9, coarsest=6)
        self._patches = build_tile((*seed, 2), slope=1.7)
        self._clouds = build_tile((*seed, 3), slope=1.75)
        self._grain = np.random.default_rng((*seed, 4)).standard_normal((TILE_PX * 2, TILE_PX * 2)).astype(np.float32)
        warmth = scene.light.warmth
        self._sun = np.array([1.0 + 0.10 * warmth, 0.95, 0.84 - 0.12 * warmth], np.float32)[:, None] * np.float32(2.8)
        self._ambient = np.array([0.50, 0.58, 0.70], np.float32)[:, None] * np.float32(1.15)
        self._haze = np.array([0.56, 0.64, 0.76], np.float32)[:, None]
        self._zenith = np.array([0.16, 0.31, 0.62], np.float32)[:, None]
        linear = np.clip(scene.faces.colour, 0, 1).T ** np.float32(2.2)  # (3, f)
        self._linear = linear + np.float32(0.22) * (linear.mean(axis=0) - linear)  # dust takes some colour
        self._tone = _build_tone_curve()
        self._vignette = _build_vignette(scene.lens.width_px, scene.lens.height_px)
        normal = np.abs(scene.faces.normal)
        self._faces_x, self._faces_y = normal[:, 0] > 0.7, normal[:, 1] > 0.5
        self._faces_up = np.clip(-scene.faces.normal[:, 1], 0, 1).astype(np.float32)

    def paint(self, buffers: Buffers, identity: tuple[int, ...]) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 RGB; ``identity`` (seed, sequence, frame) seeds the sensor noise."""
        surfaces = locate_surfaces(self._scene, buffers)
        light = self._compute_light(buffers, surfaces)
        rgb = np.stack([np.take(plane, buffers.face) for plane in self._linear])
        flat = rgb.reshape(3, -1)
        windows = draw_windows(self._scene, buffers, surfaces)
        self._draw_details(flat, buffers, surfaces, windows)
        rgb *= self._compute_texture(buffers, surfaces)
        rgb *= light
        self._add_reflections(flat, buffers, surfaces, windows)
        clear = np.exp(surfaces.depth * np.float32(-1 / 900.0))
        flat -= self._haze
        rgb *= clear
        flat += self._haze
        self._paint_sky(flat, buffers, surfaces)
        return self._expose(rgb, identity)

    def _compute_light(self, buffers: Buffers, surfaces: Surfaces) -> NDArray[np.float32]:
        """(3, h, w) light that falls on each pixel: sun where no shadow is, sky light less what corners hide."""
        scene = self._scene
        lambert = np.take(compute_lambert(scene.faces, buffers.body_poses, scene.light.to_sun), buffers.face)
        shadow = self._shadows.compute(
            surfaces.x, surfaces.y, surfaces.z, lambert, buffers.body_poses, float(buffers.camera_pose[2, 3])
        )
        lit = cv2.blur(np.where(shadow, np.float32(0.06), np.float32(1.0)), (3, 3)) * lambert
        height = -surfaces.y
        upright = ~np.take(self._faces_y, buffers.face)
        # Sky light: less near the ground on upright faces, and less under overhangs (a blurred look around).
        hidden = np.where(upright, np.exp(-np.maximum(height, 0) * np.float32(1.4)) * np.float32(0.45), 0)
        around = cv2.blur(buffers.inverse_depth, _odd_pair(surfaces.x.shape[0] / 28))
        closer = (around - buffers.inverse_depth) / np.maximum(buffers.inverse_depth, 1e-3)
        hidden = hidden + np.clip(closer * np.float32(1.6), 0, 0.42) * (closer < 0.8)
        sky = (0.62 + np.float32(0.38) * np.take(self._faces_up, buffers.face)) * (1.0 - np.clip(hidden, 0, 0.75))
        sky = sky.astype(np.float32, copy=False)
        return np.stack([lit * self._sun[c, 0] + sky * self._ambient[c, 0] for c in range(3)])

    def _compute_texture(self, buffers: Buffers, surfaces: Surfaces) -> Plane:
        """(h, w) factor around 1; fine grain fades where a pixel spans more than it."""
        u = np.where(np.take(self._faces_x, buffers.face), surfaces.z, surfaces.x)
        v = np.where(np.take(self._faces_y, buffers.face), surfaces.z, surfaces.y)
        fine, coarse = np.take(_FINE, surfaces.material), np.take(_COARSE, surfaces.material)
        fade = np.minimum(np.float32(0.035) / surfaces.footprint, 1.0)
        grain = lay_tile(self._stone, u, v, 28.0) * fine * fade
        leaf = np.flatnonzero(surfaces.material == Material.LEAVES)
        coarse_grain = lay_tile(self._patches, u, v, 6.0) * coarse
        texture = 1.0 + grain + coarse_grain
        if len(leaf):  # clumps of leaves hold their contrast further away
            clump = lay_tile(self._stone, u.reshape(-1)[leaf], v.reshape(-1)[leaf], 9.0)
            texture.reshape(-1)[leaf] *= np.clip(0.85 + 0.4 * clump, 0.25, 1.8)
        return np.asarray(np.maximum(texture, 0.15), np.float32)

    def _draw_details(self, flat: NDArray[np.float32], buffers: Buffers, surfaces: Surfaces, windows: Windows) -> None:
        """Worn road paint, paving, masonry and windows, as albedo; ``flat`` is (3, h * w)."""
        pixel, paint = draw_markings(self._scene, surfaces, -float(buffers.camera_pose[1, 3]))
        # Tyres polish the asphalt and oil darkens the middle of each lane.
        off_centre = (np.abs(surfaces.x.reshape(-1)[pixel]) - np.float32(LANE_M / 2)) / np.float32(0.45)
        road = flat[:, pixel] * (1.0 - np.float32(0.13) * np.exp(-(off_centre**2)))
        flat[:, pixel] = road + (paint * np.float32(0.85)) * (_PAINT - road)
        pixel, tone = draw_paving(self._scene, surfaces)
        flat[:, pixel] *= tone
        wall = flat[:, windows.pixel] * _draw_bricks(surfaces, windows.pixel)
        wall += windows.frame * (_FRAME - wall)
        curtain = _GLASS + (windows.tone > 0.7) * np.float32(0.10)
        flat[:, windows.pixel] = wall + windows.glass * (curtain - wall)

    def _add_reflections(
        self, flat: NDArray[np.float32], buffers: Buffers, surfaces: Surfaces, windows: Windows
    ) -> None:
        """Sky in windows, windscreens and, fainter, in car paint; lamps shine a little."""
        up = np.clip(surfaces.upward.reshape(-1)[windows.pixel] * np.float32(-2.0), 0, 1)
        flat[:, windows.pixel] += windows.glass * (0.03 + np.float32(0.16) * up) * (0.5 + windows.tone) * self._haze
        face = buffers.face.reshape(-1)
        glass = np.flatnonzero(surfaces.material == Material.GLASS)
        ripple = lay_tile(self._patches, surfaces.x.reshape(-1)[glass], surfaces.y.reshape(-1)[glass], 60.0)
        shine = (0.035 + np.float32(0.22) * self._faces_up[face[glass]]) * (1 + np.float32(0.35) * ripple)
        flat[:, glass] += shine * self._haze
        paint = np.flatnonzero(surfaces.material == Material.PAINT)
        flat[:, paint] += (0.012 + np.float32(0.09) * self._faces_up[face[paint]]) * self._haze
        lamp = np.flatnonzero(surfaces.material == Material.LAMP)
        flat[:, lamp] += self._linear[:, face[lamp]] * np.float32(0.5)

    def _paint_sky(self, flat: NDArray[np.float32], buffers: Buffers, surfaces: Surfaces) -> None:
        """A gradient with clouds on a flat ceiling."""
        sky = np.flatnonzero(surfaces.material == Material.SKY)
        if len(sky) == 0:
            return
        rise = np.maximum(-surfaces.upward.reshape(-1)[sky], np.float32(0.02))
        position = buffers.camera_pose[:3, 3].astype(np.float32)
        scale = 1.0 / (surfaces.depth.reshape(-1)[sky] * (rise + np.float32(0.08)))
        u, v = (
            (plane.reshape(-1)[sky] - at) * scale
            for plane, at in ((surfaces.x, position[0]), (surfaces.z, position[2]))
        )
        density = lay_tile(self._clouds, u, v, 46.0)
        cover = np.clip((density + self._scene.light.clouds * 2.4 - 1.5) * np.float32(0.7), 0, 1)
        cover *= np.clip(rise * 8, 0.3, 1)
        blue = self._haze + np.clip(rise * np.float32(1.9), 0, 1) * (self._zenith - self._haze)
        white = np.float32(1.05) - np.float32(0.22) * np.clip(density, 0, 2) * _CLOUD_SHADE
        flat[:, sky] = (blue + cover * (white - blue)) * np.float32(1.25)

    def _expose(self, rgb: NDArray[np.float32], identity: tuple[int, ...]) -> NDArray[np.uint8]:
        """Lens softness, vignetting, sensor noise and the camera's tone curve."""
        height, width = rgb.shape[1:]
        rgb *= self._vignette
        generator = np.random.default_rng((*identity, 5))
        planes = []
        for light, curve in zip(rgb, self._tone, strict=True):
            # Noise of counted light is even on the scale of its square root.
            level = np.sqrt(np.clip(cv2.GaussianBlur(light, (3, 3), 0.55), 0, 4)) * np.float32(_TONE_STEPS)
            level += np.float32(0.011 * _TONE_STEPS) * _cut_grain(self._grain, height, width, generator)
            planes.append(curve[np.clip(level, 0, len(curve) - 1).astype(np.uint16)])
        return np.ascontiguousarray(cv2.merge(planes), dtype=np.uint8)


def _odd_pair(value: float) -> tuple[int, int]:
    side = max(3, int(value) | 1)
    return side, side


def _draw_bricks(surfaces: Surfaces, pixel: NDArray[np.int64]) -> Plane:
    """A tone for courses of masonry, which fades out with distance."""
    height = -surfaces.y.reshape(-1)[pixel]
    fade = np.clip(np.float32(0.05) / surfaces.footprint.reshape(-1)[pixel], 0, 1)
    course = np.abs((height * np.float32(4.0)) % np.float32(1.0) - np.float32(0.5))
    return np.asarray(1.0 - 0.16 * fade * (course > 0.42), np.float32)


def _cut_grain(grain: Plane, height: int, width: int, generator: np.random.Generator) -> Plane:
    """A (height, width) window of the grain at a random place, turned over at random; tiled when larger."""
    side = grain.shape[0]
    rows = (np.arange(height) + generator.integers(side)) % side
    columns = (np.arange(width) * (1 if generator.random() < 0.5 else -1) + generator.integers(side)) % side
    return np.asarray(np.take(np.take(grain, rows, axis=0), columns, axis=1))


def _build_vignette(width: int, height: int) -> Plane:
    """(h, w) brightness of the lens: 1 in the middle, about 0.75 in the corners."""
    x, y = np.linspace(-1, 1, width)[None], np.linspace(-1, 1, height)[:, None]
    return (1.0 - 0.13 * (x**2 + y**2)).astype(np.float32)


def _build_tone_curve() -> NDArray[np.uint8]:
    """(3, 4096) bytes by square root of linear light in [0, 2]: a filmic curve, cool shadows, warm highlights."""
    light = (np.arange(4096) / _TONE_STEPS) ** 2
    curve = light * (2.2 * light + 0.06) / (light * (2.1 * light + 1.0) + 0.30)
    curve = np.clip(curve, 0, 1) ** (1 / 2.2)
    grades = ((0.985, 1.02), (1.0, 1.0), (1.02, 0.955))
    rows = [np.clip(curve * (cool + (warm - cool) * curve), 0, 1) * 255 + 0.5 for cool, warm in grades]
    return np.stack(rows).astype(np.uint8)
