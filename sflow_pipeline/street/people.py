"""People on foot and on bicycles: tapered boxes and a round head, facing +z."""

from sflow_pipeline.street.mesh import Colour, Material, MeshBuilder, Placement

SKINS: tuple[Colour, ...] = ((0.86, 0.68, 0.56), (0.72, 0.52, 0.40), (0.48, 0.33, 0.25), (0.90, 0.75, 0.64))
CLOTHES: tuple[Colour, ...] = (
    (0.70, 0.18, 0.16),
    (0.16, 0.26, 0.48),
    (0.22, 0.24, 0.26),
    (0.78, 0.74, 0.66),
    (0.20, 0.42, 0.30),
    (0.85, 0.60, 0.20),
    (0.45, 0.28, 0.48),
)
HIP_M = 0.86


def add_upper_body(mesh: MeshBuilder, at: Placement, shirt: Colour, skin: Colour, *, lean: float = 0.0) -> None:
    """Torso, arms, neck and head, from the hip up; ``lean`` metres forward at the shoulders."""
    mesh.block(
        at, (-0.19, HIP_M - 0.06, -0.11), (0.19, 1.16, 0.11), shirt, Material.CLOTH, lean=lean * 0.4, sides="lrfn"
    )
    shoulder = 0.4 * lean
    mesh.block(
        at, (-0.21, 1.14, -0.12 + shoulder), (0.21, 1.47, 0.12 + shoulder), shirt, Material.CLOTH,
        taper=(0.06, 0.03), lean=lean * 0.6,
    )  # fmt: skip
    for side in (-1, 1):
        x0, x1 = sorted((side * 0.21, side * 0.30))
        sleeve: Colour = (shirt[0] * 0.88, shirt[1] * 0.88, shirt[2] * 0.88)
        mesh.block(
            at, (x0, 0.88, -0.06 + lean), (x1, 1.42, 0.06 + lean), sleeve, Material.CLOTH, lean=lean * 0.2, sides="lrfn"
        )
        mesh.block(at, (x0, 0.80, -0.05 + lean), (x1, 0.89, 0.05 + lean), skin, Material.CLOTH, sides="lrfn")
    mesh.block(at, (-0.05, 1.44, -0.05 + lean), (0.05, 1.54, 0.05 + lean), skin, Material.CLOTH, sides="lrfn")
    for turn in (0.0, 0.7853982, 1.5707963, 2.3561945):
        mesh.disc(at, (0.0, 1.64, lean), (0.105, 0.135), skin, Material.CLOTH, corners=10, turn=turn)
    hair: Colour = (skin[0] * 0.35, skin[1] * 0.30, skin[2] * 0.28)
    mesh.block(at, (-0.10, 1.67, -0.11 + lean), (0.10, 1.79, 0.06 + lean), hair, Material.CLOTH, taper=(0.04, 0.04))


def add_leg(mesh: MeshBuilder, at: Placement, side: int, trousers: Colour) -> None:
    """One leg that hangs from the body's origin (the hip) down to the ground."""
    x0, x1 = sorted((side * 0.02, side * 0.17))
    mesh.block(at, (x0 + 0.02, -HIP_M + 0.07, -0.06), (x1 - 0.02, -0.40, 0.06), trousers, Material.CLOTH, sides="lrfn")
    mesh.block(at, (x0, -0.42, -0.09), (x1, 0.02, 0.09), trousers, Material.CLOTH, sides="lrfn")
    mesh.block(at, (x0 + 0.01, -HIP_M, -0.08), (x1 - 0.01, -HIP_M + 0.09, 0.17), (0.12, 0.11, 0.10), Material.CLOTH)


def add_rider(mesh: MeshBuilder, at: Placement, shirt: Colour, trousers: Colour, skin: Colour) -> None:
    """Someone on a saddle: hips at 0.95 m, hands towards the handlebar."""
    seat = Placement(at.class_id, at.instance_id, at.x, at.z, at.height + 0.10, at.yaw, at.body)
    add_upper_body(mesh, seat, shirt, skin, lean=0.22)
    for side, foot in ((-1, 0.28), (1, 0.46)):
        x0, x1 = sorted((side * 0.06, side * 0.20))
        mesh.block(at, (x0, 0.62, 0.02), (x1, 0.98, 0.20), trousers, Material.CLOTH, lean=-0.14)
        mesh.block(at, (x0 + 0.02, foot, 0.02), (x1 - 0.02, 0.64, 0.16), trousers, Material.CLOTH, sides="lrfn")
        mesh.block(at, (x0, foot - 0.08, 0.0), (x1, foot + 0.02, 0.24), (0.12, 0.11, 0.10), Material.CLOTH)
