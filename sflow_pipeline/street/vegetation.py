"""Trees, bushes and hedges whose outlines are unions of many leafy blobs."""

import numpy as np

from sflow_pipeline.street.classes import VEGETATION
from sflow_pipeline.street.mesh import Colour, Material, MeshBuilder, Placement

_GREENS: tuple[Colour, ...] = ((0.22, 0.40, 0.14), (0.28, 0.46, 0.18), (0.18, 0.34, 0.15), (0.36, 0.47, 0.19))
_BARK: Colour = (0.33, 0.25, 0.19)


def add_tree(mesh: MeshBuilder, x: float, z: float, height_m: float, rng: np.random.Generator) -> None:
    """A broad-leaved tree. The trunk is vegetation too, as Cityscapes labels it."""
    at = Placement(VEGETATION, VEGETATION, x, z)
    crown_radius = height_m * rng.uniform(0.24, 0.34)
    crown_middle = height_m - crown_radius * 1.05
    trunk = 0.10 + 0.015 * height_m
    low, high = (-trunk, 0.0, -trunk), (trunk, crown_middle, trunk)
    mesh.block(at, low, high, _BARK, Material.PLASTER, taper=(trunk * 0.4, trunk * 0.4), sides="lrn")
    green = _GREENS[rng.integers(len(_GREENS))]
    _add_leaves(mesh, at, (0.0, crown_middle, 0.0), crown_radius, green, 13, rng)


def add_bush(mesh: MeshBuilder, x: float, z: float, radius_m: float, rng: np.random.Generator) -> None:
    """A round shrub on the ground."""
    at = Placement(VEGETATION, VEGETATION, x, z)
    _add_leaves(mesh, at, (0.0, radius_m * 0.55, 0.0), radius_m * 0.7, _GREENS[rng.integers(len(_GREENS))], 5, rng)


def add_hedge(mesh: MeshBuilder, x: float, z0: float, z1: float, rng: np.random.Generator) -> None:
    """A clipped hedge along the street."""
    at = Placement(VEGETATION, VEGETATION)
    height = rng.uniform(0.8, 1.5)
    mesh.block(
        at, (x - 0.35, 0.1, z0), (x + 0.35, height, z1), _GREENS[2], Material.LEAVES, taper=(0.08, 0.08), sides="tlrn"
    )


def _add_leaves(
    mesh: MeshBuilder,
    at: Placement,
    centre: tuple[float, float, float],
    radius: float,
    green: Colour,
    blobs: int,
    rng: np.random.Generator,
) -> None:
    """One blob in the middle and smaller ones around it; higher ones are lighter, as under the sky."""
    for i in range(blobs):
        angle = 2 * np.pi * (i / max(blobs - 1, 1)) + rng.uniform(-0.3, 0.3)
        reach = 0.0 if i == 0 else radius * rng.uniform(0.45, 0.80)
        size = radius * (0.82 if i == 0 else rng.uniform(0.30, 0.52))
        dx, dh = reach * np.cos(angle), reach * np.sin(angle) * 0.9
        dz = rng.uniform(-0.5, 0.5) * radius
        shade = float(np.clip(0.92 + 0.30 * dh / radius + rng.uniform(-0.07, 0.07), 0.5, 1.3))
        colour: Colour = (green[0] * shade, green[1] * shade, green[2] * shade)
        middle = (centre[0] + dx, centre[1] + dh, centre[2] + dz)
        turn, phase = rng.uniform(-0.5, 0.5), rng.uniform(0, 1)
        axes = (size, size * rng.uniform(0.8, 1.0))
        mesh.disc(at, middle, axes, colour, Material.LEAVES, corners=9, turn=turn, phase=phase)
