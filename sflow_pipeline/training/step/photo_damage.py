"""Damage to photos in the direction of renderings, so that a generator given a picture restores instead of copying it.

What renderers do wrong, each drawn per image and most of them per class: exposure, saturation and tint off; the colour
of a class shifted; texture missing, or over-sharp grain in its place; few colour levels; hard aliased borders; light
that does not vary; glow around what is bright.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.appearance.palette import build_palette_map, measure_palette
from sflow_pipeline.tensors import ClassIndexMap, Photo, to_luma
from sflow_pipeline.training.step.step_rng import StepRng


def damage_photo(photo: Photo, class_index: ClassIndexMap, classes: int, rng: StepRng) -> Photo:
    """A photo as a renderer might have shown the scene; the same for an image whatever batch it is in.

    Args:
        photo: (b, 3, h, w) RGB in [-1, 1].
        class_index: (b, h, w) class of each pixel; most damage differs from class to class.

    Returns:
        RGB in [-1, 1], the photo's size and borders.
    """
    device = photo.device

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return (low + (high - low) * rng.rand(*(shape or (1, 1, 1)))).to(device)

    def drawn_with(chance: float, *shape: int) -> Tensor:
        return (rng.rand(*(shape or (1, 1, 1))) < chance).float().to(device)

    def by_class(values: Float[Tensor, "b classes n"]) -> Float[Tensor, "b n h w"]:
        batch = torch.arange(len(class_index), device=device)[:, None, None]
        return values[batch, class_index.long()].permute(0, 3, 1, 2)

    x = photo
    # Texture: lost by a share of its own in every class, by more or less blur.
    smooth = x
    for _ in range(3):
        smooth = _box_blur(smooth)
    smoother = _box_blur(_box_blur(smooth, 9))
    lost = by_class(draw(-0.4, 1.0, classes, 1).clamp(min=0) * drawn_with(0.7, 1, 1))
    strong = by_class(drawn_with(0.35, classes, 1))
    x = torch.lerp(x, torch.lerp(smooth, smoother, strong * drawn_with(0.5)), lost)
    # Light that does not vary within a class.
    means = build_palette_map(class_index, measure_palette(photo, class_index, classes)[0])
    light = _blur_coarsely(x - means)
    x = x - draw(-0.5, 0.7).clamp(min=0) * light
    # Over-sharp, and grain where a texture was stretched over a surface.
    x = x + draw(-1.0, 1.5).clamp(min=0) * (x - _box_blur(x))
    grain = rng.rand(1, *x.shape[-2:]).to(device) - 0.5
    coarse = F.interpolate(rng.rand(1, *(-(-s // 2) for s in x.shape[-2:])).to(device) - 0.5, x.shape[-2:])
    amplitude = by_class(draw(-0.25, 0.3, classes, 1).clamp(min=0) * drawn_with(0.5, 1, 1))
    x = x + amplitude * torch.lerp(grain, coarse, drawn_with(0.5))
    # Aliased borders: every second pixel, repeated.
    if rng.integers(0, 3)[0] == 0:
        aliased = F.interpolate(F.interpolate(x, scale_factor=0.5), x.shape[-2:])
        x = torch.lerp(x, aliased, drawn_with(0.6) * draw(0.5, 1.0))
    # Glow.
    glow = _blur_coarsely(F.relu(x - 0.5))
    x = x + drawn_with(0.25) * draw(0.2, 1.0) * glow
    # Colour, of two images in three: of classes, then of the whole.
    uncolored, is_colored = x, drawn_with(0.65)
    x = x + by_class((draw(-0.05, 0.05, classes, 3) + draw(-0.15, 0.15, classes, 1)) * drawn_with(0.6, 1, 1))
    grey = to_luma(x)
    x = torch.lerp(grey, x, draw(0.7, 1.4))
    x = x * draw(0.75, 1.35) * (1 + draw(-0.08, 0.08, 3, 1, 1)) + draw(-0.2, 0.2)
    unit = ((x + 1) / 2).clamp(0, 1)
    unit = unit.clamp(min=1e-4) ** torch.exp2(draw(-0.5, 0.5))
    levels = torch.exp2(draw(3.0, 5.0))
    unit = torch.lerp(unit, (unit * levels).round() / levels, drawn_with(0.4))
    return torch.lerp(uncolored.clamp(-1, 1), unit * 2 - 1, is_colored)


def draw_strength(rng: StepRng, palette_share: float) -> Float[Tensor, " b"]:
    """Appearance strength per image: ``palette_share`` at 0, two thirds of the rest at 1, the others between."""
    u, between = rng.rand(), rng.rand()
    full_until = palette_share + (1 - palette_share) * 2 / 3
    return torch.where(u < palette_share, torch.zeros_like(u), torch.where(u < full_until, torch.ones_like(u), between))


def _box_blur(x: Tensor, side_px: int = 3) -> Tensor:
    """Mean over a square around each pixel, in two passes: rows, then columns."""
    reach = side_px // 2
    padded = F.pad(x, (reach,) * 4, mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(padded, (side_px, 1), 1), (1, side_px), 1)


def _blur_coarsely(x: Tensor, cell_px: int = 16) -> Tensor:
    cells = F.avg_pool2d(x, cell_px, ceil_mode=True, count_include_pad=False)
    return F.interpolate(_box_blur(cells), x.shape[-2:], mode="bilinear", align_corners=False)
