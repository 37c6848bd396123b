"""The ``cg`` look: flat-shaded and clean, as a simple simulator draws it."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.street.buffers import Buffers
from sflow_pipeline.street.lighting import compute_lambert
from sflow_pipeline.street.mesh import Material
from sflow_pipeline.street.scene import StreetScene
from sflow_pipeline.street.surfaces import draw_markings, draw_paving, draw_windows, locate_surfaces

_PAINT = np.array([[0.86], [0.86], [0.84]], np.float32)
_GLASS = np.array([[0.27], [0.35], [0.42]], np.float32)
_FRAME = np.array([[0.81], [0.80], [0.77]], np.float32)
_HAZE = np.array([[0.74], [0.81], [0.89]], np.float32)
_ZENITH = np.array([[0.35], [0.56], [0.84]], np.float32)


class CgLook:
    """Colours the buffers of one scene."""

    def __init__(self, scene: StreetScene) -> None:
        self._scene = scene

    def paint(self, buffers: Buffers, _identity: tuple[int, ...]) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 RGB. The identity is unused: this look has no randomness of its own."""
        scene, faces = self._scene, self._scene.faces
        surfaces = locate_surfaces(scene, buffers)
        lambert = compute_lambert(faces, buffers.body_poses, scene.light.to_sun)
        shade = 0.62 + 0.42 * lambert
        shade[faces.material == Material.LAMP] = 1.0
        # Planes, not pixels, come first: whole-plane arithmetic is several times quicker.
        rgb = np.stack([np.take(plane, buffers.face) for plane in (faces.colour * shade[:, None]).T])
        flat = rgb.reshape(3, -1)
        pixel, paint = draw_markings(scene, surfaces, -buffers.camera_pose[1, 3])
        flat[:, pixel] += paint * (_PAINT - flat[:, pixel])
        pixel, tone = draw_paving(scene, surfaces)
        flat[:, pixel] *= tone
        windows = draw_windows(scene, buffers, surfaces)
        wall = flat[:, windows.pixel]
        wall += windows.frame * (_FRAME - wall)
        wall += windows.glass * (_GLASS * (0.75 + 0.5 * windows.tone) - wall)
        flat[:, windows.pixel] = wall
        clear = np.exp(surfaces.depth * np.float32(-1 / 420.0))
        flat -= _HAZE
        rgb *= clear
        flat += _HAZE
        sky = np.flatnonzero(surfaces.material == Material.SKY)
        rise = np.clip(surfaces.upward.reshape(-1)[sky] * np.float32(-2.2), 0, 1)
        flat[:, sky] = _HAZE + rise * (_ZENITH - _HAZE)
        rgb *= 255
        rgb += 0.5
        picture = np.clip(rgb, 0, 255, out=rgb).astype(np.uint8)
        return soften_edges(cv2.merge(list(picture)), buffers.face)


def soften_edges(picture: NDArray[Any], face: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Antialias the edges between faces, in place; other pixels are unchanged."""
    edge = np.zeros(face.shape, np.uint8)
    step = face[:, 1:] != face[:, :-1]
    edge[:, 1:] |= step
    edge[:, :-1] |= step
    step = face[1:] != face[:-1]
    edge[1:] |= step
    edge[:-1] |= step
    smooth = cv2.GaussianBlur(picture, (3, 3), 0.6)
    cv2.copyTo(smooth, edge, picture)
    return picture
