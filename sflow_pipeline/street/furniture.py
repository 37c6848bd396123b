"""Street furniture: lamp posts, traffic lights, signs, fences and low walls."""

import numpy as np

from sflow_pipeline.street.classes import FENCE, POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN, WALL
from sflow_pipeline.street.mesh import Colour, Material, MeshBuilder, Placement

_STEEL: Colour = (0.42, 0.44, 0.46)
_BLACK: Colour = (0.10, 0.10, 0.11)
_LIGHTS: tuple[Colour, ...] = ((0.90, 0.12, 0.10), (0.92, 0.62, 0.10), (0.10, 0.78, 0.32))


def add_lamp_post(mesh: MeshBuilder, x: float, z: float, side: int) -> None:
    """A tall post with an arm over the road."""
    at = Placement(POLE, POLE, x, z)
    mesh.block(at, (-0.09, 0, -0.09), (0.09, 7.2, 0.09), _STEEL, taper=(0.03, 0.03), sides="lrn")
    x0, x1 = sorted((0.0, -side * 1.8))
    mesh.block(at, (x0, 7.1, -0.05), (x1, 7.2, 0.05), _STEEL, sides="btlrn")
    x0, x1 = sorted((-side * 1.2, -side * 1.9))
    mesh.block(at, (x0, 7.02, -0.14), (x1, 7.14, 0.14), (0.75, 0.76, 0.74), Material.LAMP, sides="btlrn")


def add_traffic_light(mesh: MeshBuilder, x: float, z: float, colour_index: int) -> None:
    """A signal head on a pole, looking at traffic that drives towards +z."""
    mesh.block(Placement(POLE, POLE, x, z), (-0.06, 0, -0.06), (0.06, 3.2, 0.06), _STEEL, sides="lrn")
    at = Placement(TRAFFIC_LIGHT, TRAFFIC_LIGHT, x, z)
    mesh.block(at, (-0.17, 2.5, -0.22), (0.17, 3.45, 0.0), _BLACK, Material.CLOTH)
    for i, lit in enumerate(_LIGHTS):
        dim = 1.0 if i == colour_index else 0.25
        colour: Colour = (lit[0] * dim, lit[1] * dim, lit[2] * dim)
        mesh.disc(at, (0, 3.28 - 0.3 * i, -0.235), (0.11, 0.11), colour, Material.LAMP, two_sided=False)


def add_sign(mesh: MeshBuilder, x: float, z: float, rng: np.random.Generator) -> None:
    """A round, triangular or square traffic sign; the pole is a pole, the plate a sign."""
    mesh.block(Placement(POLE, POLE, x, z), (-0.04, 0, -0.04), (0.04, 2.6, 0.04), _STEEL, sides="lrn")
    at = Placement(TRAFFIC_SIGN, TRAFFIC_SIGN, x, z)
    red, white, blue = (0.75, 0.08, 0.10), (0.92, 0.92, 0.90), (0.08, 0.25, 0.62)
    kind = rng.integers(4)
    if kind == 0:
        mesh.disc(at, (0, 2.5, -0.06), (0.36, 0.36), red, corners=10)
        mesh.disc(at, (0, 2.5, -0.075), (0.26, 0.26), white, corners=10, two_sided=False)
    elif kind == 1:
        mesh.disc(at, (0, 2.42, -0.06), (0.44, 0.44), red, corners=3, phase=np.pi / 2)
        mesh.disc(at, (0, 2.42, -0.075), (0.28, 0.28), white, corners=3, phase=np.pi / 2, two_sided=False)
    elif kind == 2:
        mesh.disc(at, (0, 2.5, -0.06), (0.40, 0.40), red, corners=8, phase=np.pi / 8)
        bar = [(-0.24, 2.44, -0.075), (-0.24, 2.56, -0.075), (0.24, 2.56, -0.075), (0.24, 2.44, -0.075)]
        mesh.polygon(at, bar, white)
    else:
        mesh.disc(at, (0, 2.45, -0.06), (0.42, 0.42), blue, corners=4, phase=np.pi / 4)
        mesh.disc(at, (0, 2.45, -0.075), (0.20, 0.24), white, corners=3, phase=np.pi / 2, two_sided=False)


def add_fence(mesh: MeshBuilder, x: float, z0: float, z1: float, rng: np.random.Generator) -> None:
    """Posts and rails along the street, with the gaps left open."""
    at = Placement(FENCE, FENCE)
    colour: Colour = (0.45, 0.36, 0.26) if rng.random() < 0.5 else (0.55, 0.57, 0.58)
    for z in np.arange(z0, z1, 1.6):
        mesh.block(at, (x - 0.06, 0.1, z - 0.06), (x + 0.06, 1.2, z + 0.06), colour, sides="tlrn")
    for height in (0.35, 0.70, 1.02):
        mesh.block(at, (x - 0.03, height, z0), (x + 0.03, height + 0.14, z1), colour, sides="tlr")


def add_low_wall(mesh: MeshBuilder, x: float, z0: float, z1: float, rng: np.random.Generator) -> None:
    """A garden wall."""
    shade = rng.uniform(0.8, 1.1)
    colour: Colour = (0.55 * shade, 0.48 * shade, 0.42 * shade)
    mesh.block(Placement(WALL, WALL), (x - 0.14, 0.1, z0), (x + 0.14, rng.uniform(0.9, 1.7), z1), colour, sides="tlrn")
