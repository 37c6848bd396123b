"""Farnebäck's dense optical flow in torch: batched, coarse to fine, and differentiable in both pictures."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.errors import UsageError
from sflow_pipeline.tensors import fill_vector, to_luma

#: (b, 1, h, w) grey values in [0, 255].
GreyPicture = Float[Tensor, "b 1 h w"]
#: (b, 2, h, w) displacement in px, x then y, to the place in the other picture.
Flow = Float[Tensor, "b 2 h w"]

#: No level is smaller than this, in px (OpenCV's ``min_size``).
MIN_SIZE = 32
#: Weights of the outermost five rows and columns (OpenCV's ``border``).
BORDER = (0.14, 0.14, 0.4472, 0.4472, 0.4472)
#: Added to the determinant of every 2x2 system.
_REGULARISER = 1e-3


@dataclass(frozen=True)
class FarnebackSettings:
    """Constants, named as the arguments of ``cv2.calcOpticalFlowFarneback``.

    Attributes:
        pyr_scale: size of a level relative to the next finer one, in (0, 1).
        levels: coarser levels beside the picture itself, at most; small pictures have fewer.
        winsize: odd side of the window in px over which motion is taken as equal.
        iterations: refinements at each level.
        poly_n: reach in px of the neighbourhood that a polynomial is fitted to.
        poly_sigma: standard deviation in px of the neighbourhood's weights.
        use_gaussian: Gaussian instead of equal weights in the window (``OPTFLOW_FARNEBACK_GAUSSIAN``).

    Raises:
        UsageError: a constant is out of range.
    """

    pyr_scale: float = 0.5
    levels: int = 4
    winsize: int = 15
    iterations: int = 3
    poly_n: int = 5
    poly_sigma: float = 1.2
    use_gaussian: bool = False

    def __post_init__(self) -> None:
        ranges = {
            "pyr_scale": 0 < self.pyr_scale < 1,
            "levels": self.levels >= 0,
            "winsize": self.winsize >= 3 and self.winsize % 2 == 1,
            "iterations": self.iterations >= 1,
            "poly_n": self.poly_n >= 1,
            "poly_sigma": self.poly_sigma > 0,
        }
        wrong = [name for name, is_right in ranges.items() if not is_right]
        if wrong:
            raise UsageError(
                f"Farnebäck flow: {wrong[0]} is {getattr(self, wrong[0])}",
                hint="pyr_scale lies between 0 and 1, winsize is odd and at least 3, levels at least 0, "
                "the others are positive",
            )


DEFAULT_SETTINGS = FarnebackSettings()


def to_grey(photo: Float[Tensor, "b 3 h w"]) -> GreyPicture:
    """Luma in [0, 255] of a photo in [-1, 1].

    >>> to_grey(torch.ones(1, 3, 2, 2)).mean().item()
    255.0
    """
    return to_luma(photo) * 127.5 + 127.5


def compute_farneback_flow(
    before: GreyPicture, after: GreyPicture, settings: FarnebackSettings = DEFAULT_SETTINGS
) -> Flow:
    """Flow from each pixel of ``before`` to its place in ``after``, as ``cv2.calcOpticalFlowFarneback`` computes it.

    Gunnar Farnebäck, Two-Frame Motion Estimation Based on Polynomial Expansion (2003): a quadratic polynomial is fitted
    to the neighbourhood of every pixel, and the displacement that maps one picture's polynomials to the other's solves
    a 2x2 system, averaged over a window. Every step is differentiable, so gradients reach both pictures.

    Raises:
        UsageError: a side is below 2 px.

    >>> compute_farneback_flow(255 * torch.rand(2, 1, 48, 64), 255 * torch.rand(2, 1, 48, 64)).shape
    torch.Size([2, 2, 48, 64])
    """
    height, width = before.shape[-2:]
    if min(height, width) < 2:
        raise UsageError(f"flow between pictures of {width}x{height} px: each side must have at least 2")
    flow: Flow | None = None
    for level in range(_count_levels(height, width, settings), -1, -1):
        scale = settings.pyr_scale**level
        size = (max(2, round(height * scale)), max(2, round(width * scale)))
        flow = before.new_zeros(len(before), 2, *size) if flow is None else _resize(flow, size) / settings.pyr_scale
        first, second = (_expand(_reduce(picture, scale, size), settings) for picture in (before, after))
        for _ in range(settings.iterations):
            flow = _solve(_average(_build_systems(first, second, flow), settings))
    assert flow is not None
    return flow


def _count_levels(height: int, width: int, settings: FarnebackSettings) -> int:
    scale = 1.0
    for level in range(settings.levels):
        scale *= settings.pyr_scale
        if min(height, width) * scale < MIN_SIZE:
            return level
    return settings.levels


def _reduce(picture: GreyPicture, scale: float, size: tuple[int, int]) -> Float[Tensor, "b 1 height width"]:
    """The smoothed picture at a level's size."""
    sigma = (1 / scale - 1) * 0.5
    side = max(round(sigma * 5) | 1, 3)
    kernel = fill_vector(_gaussian(side // 2, sigma) if sigma else (0.25, 0.5, 0.25), picture)
    return _resize(_filter(picture, kernel, kernel, "reflect"), size)


def _resize(picture: Tensor, size: tuple[int, int]) -> Tensor:
    if picture.shape[-2:] == size:
        return picture
    return F.interpolate(picture, size, mode="bilinear", align_corners=False)


def _gaussian(reach: int, sigma: float) -> list[float]:
    weights = [math.exp(-x * x / (2 * sigma * sigma)) for x in range(-reach, reach + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


def _filter(picture: Tensor, down: Tensor, right: Tensor, border: str) -> Tensor:
    """Every channel filtered by one separable kernel; ``border`` is a padding mode of ``F.pad``."""
    reach = len(down) // 2
    shape = picture.shape
    height, width = shape[-2:]
    if border == "reflect" and reach >= min(height, width):
        border = "replicate"
    flat = picture.reshape(-1, 1, height, width)
    flat = F.conv2d(F.pad(flat, (0, 0, reach, reach), mode=border), down.view(1, 1, -1, 1))
    flat = F.conv2d(F.pad(flat, (reach, reach, 0, 0), mode=border), right.view(1, 1, 1, -1))
    return flat.view(shape)


def _expand(picture: GreyPicture, settings: FarnebackSettings) -> Float[Tensor, "b 5 h w"]:
    """Coefficients of y, x, y², x² and xy of the polynomial around every pixel (``FarnebackPolyExp``)."""
    reach = settings.poly_n
    g = _gaussian(reach, settings.poly_sigma)
    offsets = range(-reach, reach + 1)
    second = sum(w * x * x for w, x in zip(g, offsets, strict=True))
    fourth = sum(w * x**4 for w, x in zip(g, offsets, strict=True))
    # The inverse of the weighted moments of (1, x, y, x², y², xy); they are separable, so x² and y² do not couple.
    own = 1 / (fourth - second**2)
    constant = -second * own
    g0 = fill_vector(g, picture)
    x = fill_vector([float(x) for x in offsets], picture)
    g1, g2 = g0 * x, g0 * x * x
    pad = F.pad(picture, (reach,) * 4, mode="replicate")
    down = F.conv2d(pad, torch.stack([g0, g1, g2]).view(3, 1, -1, 1))  # (b, 3, h, w + 2 reach)
    # Rows of the weights: filters along x of (smoothed, first, second moment along y).
    zero = torch.zeros_like(g0)
    across = torch.stack(
        [
            torch.stack([zero, g0 / second, zero]),
            torch.stack([g1 / second, zero, zero]),
            torch.stack([g0 * constant, zero, g0 * own]),
            torch.stack([g0 * constant + g2 * own, zero, zero]),
            torch.stack([zero, g1 / second**2, zero]),
        ]
    )
    return F.conv2d(down, across[:, :, None])


def _build_systems(
    first: Float[Tensor, "b 5 h w"], second: Float[Tensor, "b 5 h w"], flow: Flow
) -> Float[Tensor, "b 5 h w"]:
    """The 2x2 systems of every pixel: g11, g12, g22, h1, h2 (``FarnebackUpdateMatrices``)."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    inside = ((x >= 0) & (x < width - 1) & (y >= 0) & (y < height - 1))[:, None]
    grid = torch.stack([x * (2 / (width - 1)) - 1, y * (2 / (height - 1)) - 1], dim=-1)
    moved = F.grid_sample(second, grid, mode="bilinear", padding_mode="border", align_corners=True)
    linear = (first[:, :2] - torch.where(inside, moved[:, :2], 0)) * 0.5
    squares = torch.where(inside, (first[:, 2:] + moved[:, 2:]) * 0.5, first[:, 2:])
    yy, xx = squares[:, 0], squares[:, 1]
    xy = squares[:, 2] * 0.5
    by = linear[:, 0] + yy * flow[:, 1] + xy * flow[:, 0]
    bx = linear[:, 1] + xy * flow[:, 1] + xx * flow[:, 0]
    weight = (_border_weights(height, flow)[:, None] * _border_weights(width, flow)).square()
    systems = torch.stack(
        [yy * yy + xy * xy, (yy + xx) * xy, xx * xx + xy * xy, yy * by + xy * bx, xy * by + xx * bx], 1
    )
    return systems * weight


def _border_weights(side: int, like: Tensor) -> Float[Tensor, " side"]:
    weights = like.new_ones(side)
    for distance, weight in enumerate(BORDER):
        if distance < side:
            weights[distance] *= weight
            weights[side - 1 - distance] *= weight
    return weights


def _average(systems: Float[Tensor, "b 5 h w"], settings: FarnebackSettings) -> Float[Tensor, "b 5 h w"]:
    reach = settings.winsize // 2
    if settings.use_gaussian:
        kernel = fill_vector(_gaussian(reach, reach * 0.3), systems)
        return _filter(systems, kernel, kernel, "replicate")
    padded = F.pad(systems, (reach,) * 4, mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(padded, (settings.winsize, 1), 1), (1, settings.winsize), 1)


def _solve(systems: Float[Tensor, "b 5 h w"]) -> Flow:
    g11, g12, g22, h1, h2 = systems.unbind(dim=1)
    inverse = 1 / (g11 * g22 - g12 * g12 + _REGULARISER)
    return torch.stack([(g11 * h2 - g12 * h1) * inverse, (g22 * h1 - g12 * h2) * inverse], dim=1)
