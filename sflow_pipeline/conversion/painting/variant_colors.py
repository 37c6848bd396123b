"""Colours of variants: another light on the scene and other paint on its vehicles, the same over a sequence."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

#: Exposure in stops, colour temperature (-1 cool to 1 warm) and contrast of the light that is drawn.
_EXPOSURE_EV = (-0.7, 0.5)
_TEMPERATURE = (-1.0, 1.0)
_CONTRAST = (0.75, 1.15)
#: Change of red and blue at temperature 1.
_TEMPERATURE_GAIN = 0.18
#: Exponent of the display's transfer function, for gains of linear light.
_GAMMA = 2.2
#: Paint of vehicles: what white becomes. Most cars are painted in greys; the others in colours that cars have.
_PAINTS = np.array(
    [(1.0, 1.0, 1.0), (0.72, 0.73, 0.75), (0.35, 0.36, 0.38), (0.85, 0.28, 0.25), (0.35, 0.45, 0.8), (0.3, 0.5, 0.4),
     (0.9, 0.8, 0.55), (0.55, 0.3, 0.3)]
)  # fmt: skip

#: Distance in chroma up to which a pixel has the hue of its vehicle's body; at twice as much it has another.
_SAME_HUE = 10.0


@dataclass(frozen=True)
class Light:
    """Light on a scene, relative to the render's.

    Attributes:
        exposure_ev: stops of linear light.
        temperature: -1 (cool) to 1 (warm).
        contrast: factor about the picture's mean.
    """

    exposure_ev: float
    temperature: float
    contrast: float


def draw_light(seed: int, sequence_id: str, variant: int) -> Light:
    """The light of one variant of a sequence, by these identities alone.

    >>> draw_light(0, "town01", 1) == draw_light(0, "town01", 1) != draw_light(0, "town01", 2)
    True
    """
    rng = _rng("light", seed, sequence_id, variant)
    return Light(*(float(rng.uniform(*bounds)) for bounds in (_EXPOSURE_EV, _TEMPERATURE, _CONTRAST)))


def relight(picture: NDArray[np.uint8], light: Light) -> NDArray[np.uint8]:
    """A picture (h, w, 3) RGB in another light.

    >>> grey = np.full((2, 2, 3), 100, np.uint8)
    >>> relight(grey, Light(1.0, 0.0, 1.0))[0, 0].tolist()
    [137, 137, 137]
    """
    unit = picture.astype(np.float32) / 255
    warm = _TEMPERATURE_GAIN * light.temperature
    gain = 2.0 ** (light.exposure_ev / _GAMMA) * np.array([1 + warm, 1.0, 1 - warm], np.float32)
    mean = unit.mean(axis=(0, 1), keepdims=True)
    lit = (mean + (unit - mean) * light.contrast) * gain
    return np.asarray((lit * 255).round().clip(0, 255), np.uint8)


def repaint_vehicles(
    picture: NDArray[np.uint8],
    is_vehicle: NDArray[np.bool_],
    instance_map: NDArray[np.int64] | None,
    seed: int,
    sequence_id: str,
    variant: int,
) -> NDArray[np.uint8]:
    """The picture with vehicles painted anew: the hue of each body is turned, and its paint multiplied.

    With instances every vehicle has its own paint, by its number, and its coloured lamps stay as they are. Without, all
    share one turn of hue in a sequence, so that a vehicle keeps its colour from frame to frame; regions of the label
    are not followed, because two vehicles that touch are one region in some frames and two in others.

    Args:
        picture: (h, w, 3) RGB.
        is_vehicle: (h, w) pixels of vehicles.
        instance_map: (h, w) numbers of objects.
    """
    if not is_vehicle.any():
        return picture
    ycc = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    painted = picture.astype(np.float32)
    numbers = np.zeros(is_vehicle.shape, np.int64) if instance_map is None else instance_map
    for number in np.unique(numbers[is_vehicle]):
        region = is_vehicle & (numbers == number)
        rng = _rng("vehicle", seed, sequence_id, variant, int(number))
        angle = rng.uniform(-np.pi, np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
        chroma = ycc[region][:, 1:] - 128
        turned = np.concatenate([ycc[region][:, :1], chroma @ turn.T + 128], axis=1)
        turned = cv2.cvtColor(turned[None].clip(0, 255).astype(np.uint8), cv2.COLOR_YCrCb2RGB)[0].astype(np.float32)
        if instance_map is None:
            painted[region] = turned
        else:
            paint = _PAINTS[rng.integers(len(_PAINTS))]
            painted[region] += find_body(chroma)[:, None] * (turned * paint - painted[region])
    return np.asarray(painted.round().clip(0, 255), np.uint8)


def find_body(chroma: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far each pixel of a vehicle has its body's hue, 0 to 1; coloured lamps do not, white ones and plates do.

    Args:
        chroma: (n, 2) red and blue difference of the vehicle's pixels, 0 for grey.

    Returns:
        (n,) 1 near the line from grey to the median colour, on which shade and highlights lie.

    >>> body, lamp = [(2.0, -60.0)] * 8, [(70.0, -10.0)]
    >>> find_body(np.array(body + [(1.0, -30.0)] + lamp, np.float32)).round(2)[[0, 8, 9]].tolist()
    [1.0, 1.0, 0.0]
    """
    usual = np.median(chroma, axis=0)
    place = (chroma @ usual / max(float(usual @ usual), 1e-6)).clip(0, 1.5)
    distance = np.linalg.norm(chroma - place[:, None] * usual, axis=1)
    return np.asarray((1 - (distance - _SAME_HUE) / _SAME_HUE).clip(0, 1), np.float32)


def _rng(*identity: str | int) -> np.random.Generator:
    digest = hashlib.sha256("\n".join(map(str, identity)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
