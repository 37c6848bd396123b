"""Cars, vans, lorries, buses and bicycles, built around the origin with their nose towards +z."""

from sflow_pipeline.street.mesh import Colour, Material, MeshBuilder, Placement

PAINTS: tuple[Colour, ...] = (
    (0.80, 0.80, 0.80),
    (0.58, 0.60, 0.62),
    (0.20, 0.21, 0.23),
    (0.62, 0.12, 0.11),
    (0.13, 0.25, 0.50),
    (0.10, 0.33, 0.28),
    (0.75, 0.62, 0.20),
    (0.45, 0.30, 0.22),
    (0.35, 0.52, 0.68),
)
_RUBBER: Colour = (0.08, 0.08, 0.09)
_GLASS: Colour = (0.17, 0.22, 0.27)
_TAIL: Colour = (0.72, 0.08, 0.07)
_HEAD: Colour = (0.95, 0.94, 0.86)
_PLATE: Colour = (0.90, 0.90, 0.84)


def add_car(mesh: MeshBuilder, at: Placement, paint: Colour, *, length_m: float = 4.3, roof_m: float = 1.46) -> None:
    """A saloon, hatchback or van: two stacked tapered boxes, inset windows, wheels and lights."""
    half, end, belt = 0.89, length_m / 2, roof_m * 0.60
    dark: Colour = (paint[0] * 0.55, paint[1] * 0.55, paint[2] * 0.55)
    mesh.block(at, (-0.80, 0.16, -end + 0.15), (0.80, 0.34, end - 0.15), _RUBBER, Material.CLOTH, sides="blrfn")
    mesh.block(at, (-half, 0.30, -end), (half, belt, end), paint, Material.PAINT, taper=(0.04, 0.08))
    van = roof_m > 1.8
    back, front = -end + (0.15 if van else 0.45), end - (0.9 if van else 1.25)
    rake = 0.18 if van else 0.42
    low, high = (-half + 0.05, belt, back), (half - 0.05, roof_m, front)
    mesh.block(at, low, high, paint, Material.PAINT, taper=(0.14, rake), sides="tlrfn")
    _add_cabin_glass(mesh, at, low, high, 0.14, rake)
    for side in (-1, 1):
        x = side * (half - 0.22)
        for z, light in ((-end - 0.012, _TAIL), (end + 0.012, _HEAD)):
            lit = Material.LAMP
            width, h0, h1 = 0.17, belt - 0.24, belt - 0.08
            _add_plate(mesh, at, x - width, x + width, h0, h1, z, light, lit)
        _add_wheel(mesh, at, side * (half + 0.012), -end + 0.82, 0.32, side)
        _add_wheel(mesh, at, side * (half + 0.012), end - 0.85, 0.32, side)
        for z in (-end + 0.5, end - 0.53):
            x0, x1 = sorted((side * half, side * (half - 0.24)))
            mesh.block(at, (x0, 0.0, z - 0.3), (x1, 0.33, z + 0.3), _RUBBER, Material.CLOTH, taper=(0, 0.1), sides="fn")
    for z in (-end - 0.012, end + 0.012):
        _add_plate(mesh, at, -0.26, 0.26, 0.46, 0.58, z, _PLATE, Material.PLASTER)
        _add_plate(mesh, at, -0.80, 0.80, 0.31, 0.42, z, dark, Material.PLASTER)


def add_box_vehicle(
    mesh: MeshBuilder, at: Placement, paint: Colour, *, length_m: float, height_m: float, has_windows: bool
) -> None:
    """A bus (windows all along) or a lorry (a closed box behind a cab)."""
    half, end = 1.24, length_m / 2
    cab = end if has_windows else end - 1.9
    mesh.block(at, (-1.1, 0.2, -end + 0.3), (1.1, 0.5, end - 0.3), _RUBBER, Material.CLOTH, sides="blrfn")
    mesh.block(at, (-half, 0.42, -end), (half, height_m, cab), paint, Material.PAINT, taper=(0.03, 0.02))
    if not has_windows:
        mesh.block(at, (-1.15, 0.42, cab), (1.15, height_m * 0.78, end), (0.75, 0.76, 0.78), Material.PAINT)
        _add_plate(mesh, at, -1.0, 1.0, height_m * 0.45, height_m * 0.72, end + 0.015, _GLASS, Material.GLASS)
    else:
        for z in (-end - 0.015, end + 0.015):
            _add_plate(mesh, at, -1.08, 1.08, height_m * 0.46, height_m * 0.86, z, _GLASS, Material.GLASS)
        bays = max(3, int(length_m / 1.6))
        pitch = (length_m - 0.6) / bays
        for side in (-1, 1):
            for bay in range(bays):
                z = -end + 0.3 + bay * pitch
                _add_side_plate(
                    mesh, at, side * (half + 0.015), z + 0.08, z + pitch - 0.08, height_m * 0.48, height_m * 0.84
                )
    for side in (-1, 1):
        x = side * (half - 0.25)
        _add_plate(mesh, at, x - 0.16, x + 0.16, 0.62, 0.86, -end - 0.02, _TAIL, Material.LAMP)
        _add_plate(mesh, at, x - 0.16, x + 0.16, 0.62, 0.86, end + 0.02, _HEAD, Material.LAMP)
        for z in (-end + 1.9, end - 1.7):
            _add_wheel(mesh, at, side * (half + 0.015), z, 0.47, side)
            x0, x1 = sorted((side * half, side * (half - 0.3)))
            mesh.block(at, (x0, 0.0, z - 0.4), (x1, 0.45, z + 0.4), _RUBBER, Material.CLOTH, sides="fn")


def add_bicycle(mesh: MeshBuilder, at: Placement, paint: Colour) -> None:
    """Two wheels and a frame; thin, but not edge-on to nothing when seen from behind."""
    for z in (-0.52, 0.52):
        mesh.disc(at, (0.0, 0.34, z), (0.34, 0.34), _RUBBER, Material.CLOTH, corners=10, turn=1.5707963)
        mesh.block(at, (-0.035, 0.0, z - 0.33), (0.035, 0.68, z + 0.33), _RUBBER, Material.CLOTH, sides="fn")
    mesh.block(at, (-0.04, 0.45, -0.45), (0.04, 0.62, 0.45), paint, Material.PAINT)
    mesh.block(at, (-0.04, 0.60, -0.24), (0.04, 0.92, -0.14), paint, Material.PAINT)
    mesh.block(at, (-0.28, 0.98, 0.38), (0.28, 1.04, 0.46), _RUBBER, Material.CLOTH)
    mesh.block(at, (-0.04, 0.60, 0.38), (0.04, 1.0, 0.46), paint, Material.PAINT)


def _add_cabin_glass(
    mesh: MeshBuilder,
    at: Placement,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    taper: float,
    rake: float,
) -> None:
    """Windows a finger's breadth outside the four cabin walls, following their slope."""
    (_x0, h0, z0), (x1, h1, z1) = low, high
    rise = h1 - h0

    def x_at(share: float) -> float:
        return x1 - taper * share + 0.012

    def z_at(share: float) -> float:
        return z1 - rake * share + 0.012

    a, b = 0.14, 0.88  # shares of the cabin's height
    ha, hb = h0 + rise * a, h0 + rise * b
    near_a, near_b = z0 + rake * a - 0.012, z0 + rake * b - 0.012
    wide_a, wide_b = x_at(a) - 0.1, x_at(b) - 0.1
    corners = [(-wide_a, ha, near_a), (-wide_b, hb, near_b), (wide_b, hb, near_b), (wide_a, ha, near_a)]
    mesh.polygon(at, corners, _GLASS, Material.GLASS)
    corners = [(wide_a, ha, z_at(a)), (wide_b, hb, z_at(b)), (-wide_b, hb, z_at(b)), (-wide_a, ha, z_at(a))]
    mesh.polygon(at, corners, _GLASS, Material.GLASS)
    middle = (z0 + z1) / 2
    for k0, k1 in ((0.0, 1.0), (1.0, 0.0)):
        za = (near_a + 0.16, middle - 0.05) if k0 < k1 else (middle + 0.05, z_at(a) - 0.18)
        zb = (near_b + 0.13, middle - 0.05) if k0 < k1 else (middle + 0.05, z_at(b) - 0.15)
        right = [(x_at(a), ha, za[0]), (x_at(b), hb, zb[0]), (x_at(b), hb, zb[1]), (x_at(a), ha, za[1])]
        mesh.polygon(at, right, _GLASS, Material.GLASS)
        mesh.polygon(at, [(-x, h, z) for x, h, z in reversed(right)], _GLASS, Material.GLASS)


def _add_plate(
    mesh: MeshBuilder,
    at: Placement,
    x0: float,
    x1: float,
    h0: float,
    h1: float,
    z: float,
    colour: Colour,
    material: Material,
) -> None:
    """A small rectangle on the nose (z > 0) or the tail (z < 0)."""
    corners = [(x0, h0, z), (x0, h1, z), (x1, h1, z), (x1, h0, z)]
    mesh.polygon(at, corners if z < 0 else corners[::-1], colour, material)


def _add_side_plate(mesh: MeshBuilder, at: Placement, x: float, z0: float, z1: float, h0: float, h1: float) -> None:
    corners = [(x, h0, z0), (x, h1, z0), (x, h1, z1), (x, h0, z1)]
    mesh.polygon(at, corners if x > 0 else corners[::-1], _GLASS, Material.GLASS)


def _add_wheel(mesh: MeshBuilder, at: Placement, x: float, z: float, radius: float, side: int) -> None:
    turn = 1.5707963 * -side
    mesh.disc(at, (x, radius, z), (radius, radius), _RUBBER, Material.CLOTH, corners=10, turn=turn, two_sided=False)
    hub = (radius * 0.58, radius * 0.58)
    mesh.disc(at, (x + side * 0.012, radius, z), hub, (0.55, 0.56, 0.58), Material.PAINT, turn=turn, two_sided=False)
