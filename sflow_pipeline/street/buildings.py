"""Houses along the street: a box with a facade pattern, a plinth, a door, and a flat or pitched roof."""

import numpy as np

from sflow_pipeline.street.classes import BUILDING
from sflow_pipeline.street.mesh import Colour, Material, MeshBuilder, Placement

_WALLS: tuple[Colour, ...] = (
    (0.72, 0.62, 0.50),
    (0.62, 0.38, 0.30),
    (0.78, 0.74, 0.66),
    (0.55, 0.50, 0.47),
    (0.70, 0.55, 0.42),
    (0.60, 0.62, 0.62),
    (0.80, 0.70, 0.52),
    (0.52, 0.33, 0.27),
)
_ROOFS: tuple[Colour, ...] = ((0.42, 0.22, 0.18), (0.30, 0.29, 0.30), (0.36, 0.27, 0.23))
_DOORS: tuple[Colour, ...] = ((0.30, 0.18, 0.12), (0.14, 0.22, 0.30), (0.18, 0.30, 0.20), (0.40, 0.12, 0.10))


def add_building(
    mesh: MeshBuilder,
    x: tuple[float, float],
    z: tuple[float, float],
    height_m: float,
    side: int,
    rng: np.random.Generator,
) -> None:
    """A house over the ground rectangle ``x`` by ``z``, whose street front looks towards -side."""
    at = Placement(BUILDING, BUILDING)
    wall = _WALLS[rng.integers(len(_WALLS))]
    storey = (height_m - 0.55) / max(1, round(height_m / 3.3))
    pitch, glass, seed = rng.uniform(2.1, 3.6), rng.uniform(0.36, 0.62), rng.uniform(0, 100)
    fronts = {"n": (0, x[0], x[1]), "f": (0, x[0], x[1]), "l": (1, z[0], z[1]), "r": (1, z[0], z[1])}
    for name, (axis, start, stop) in fronts.items():
        bays = max(1, round((stop - start - 0.8) / pitch))
        own_pitch = (stop - start - 0.8) / bays
        pattern = (axis, start + 0.4, own_pitch, storey, glass, seed)
        _add_wall(mesh, at, x, z, height_m, name, wall, pattern)
    pitched = height_m < 12 and rng.random() < 0.65
    if pitched:
        _add_pitched_roof(mesh, at, x, z, height_m, _ROOFS[rng.integers(len(_ROOFS))])
    else:
        trim: Colour = (wall[0] * 0.8, wall[1] * 0.8, wall[2] * 0.8)
        lip = ((x[0] - 0.15, height_m - 0.35, z[0] - 0.05), (x[1] + 0.15, height_m + 0.25, z[1] + 0.05))
        mesh.block(at, *lip, trim, Material.PLASTER)
    plinth: Colour = (wall[0] * 0.62, wall[1] * 0.62, wall[2] * 0.62)
    front = x[0] if side > 0 else x[1]
    x0, x1 = sorted((front, front - side * 0.06))
    mesh.block(at, (x0, 0.0, z[0]), (x1, 0.55, z[1]), plinth, Material.PLASTER, sides="tlrn")
    door = rng.uniform(z[0] + 0.5, z[1] - 1.7)
    x0, x1 = sorted((front, front - side * 0.10))
    colour = _DOORS[rng.integers(len(_DOORS))]
    mesh.block(at, (x0, 0.1, door), (x1, 2.25, door + 1.15), colour, Material.PLASTER, sides="tlrnf")
    if rng.random() < 0.35 and height_m > 7:  # a shop with an awning
        bright: Colour = (rng.uniform(0.3, 0.8), rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.5))
        x0, x1 = sorted((front, front - side * 1.1))
        corners = [(front, 3.0, z[0] + 0.6), (front - side * 1.1, 2.55, z[0] + 0.6)]
        corners += [(front - side * 1.1, 2.55, z[1] - 0.6), (front, 3.0, z[1] - 0.6)]
        mesh.polygon(at, corners, bright, Material.PLASTER, two_sided=True)


def add_skyline(mesh: MeshBuilder, z: float, rng: np.random.Generator) -> None:
    """A row of distant houses across the end of the street, which closes the view."""
    x = -130.0
    while x < 130.0:
        width = rng.uniform(14, 30)
        add_building(mesh, (x, x + width), (z, z + 15), rng.uniform(9, 26), 1, rng)
        x += width


def _add_wall(
    mesh: MeshBuilder,
    at: Placement,
    x: tuple[float, float],
    z: tuple[float, float],
    height: float,
    name: str,
    colour: Colour,
    pattern: tuple[float, ...],
) -> None:
    (x0, x1), (z0, z1) = x, z
    corners = {
        "n": [(x0, 0, z0), (x0, height, z0), (x1, height, z0), (x1, 0, z0)],
        "f": [(x1, 0, z1), (x1, height, z1), (x0, height, z1), (x0, 0, z1)],
        "l": [(x0, 0, z1), (x0, height, z1), (x0, height, z0), (x0, 0, z0)],
        "r": [(x1, 0, z0), (x1, height, z0), (x1, height, z1), (x1, 0, z1)],
    }
    mesh.polygon(at, corners[name], colour, Material.FACADE, pattern=pattern)


def _add_pitched_roof(
    mesh: MeshBuilder, at: Placement, x: tuple[float, float], z: tuple[float, float], height: float, colour: Colour
) -> None:
    """A gable roof with its ridge along the street and a small overhang."""
    x0, x1, z0, z1 = x[0] - 0.4, x[1] + 0.4, z[0], z[1]
    middle, ridge = (x0 + x1) / 2, height + min((x1 - x0) * 0.35, 4.0)
    mesh.polygon(at, [(x0, height, z1), (middle, ridge, z1), (middle, ridge, z0), (x0, height, z0)], colour)
    mesh.polygon(at, [(x1, height, z0), (middle, ridge, z0), (middle, ridge, z1), (x1, height, z1)], colour)
    gable: Colour = (colour[0] * 0.9 + 0.1, colour[1] * 0.9 + 0.1, colour[2] * 0.9 + 0.1)
    mesh.polygon(at, [(x0, height, z0), (middle, ridge, z0), (x1, height, z0)], gable)
    mesh.polygon(at, [(x1, height, z1), (middle, ridge, z1), (x0, height, z1)], gable)
