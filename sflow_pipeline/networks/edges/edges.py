"""The Laplacian edge extractor, on a batch of tensors; ``picture_edges.py`` has it for one picture without torch."""

import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from sflow_pipeline.tensors import LUMA, EdgeMap, fill_vector


def compute_laplacian(image: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    """|Laplacian| of the smoothed luma: luma in [0, 1], 3x3 Gaussian, 3x3 Laplacian (4-neighbour), reflected borders.

    Agrees with ``cv2.GaussianBlur(luma, (3, 3), 0)`` then ``cv2.Laplacian(…, ksize=1)`` on float32 luma.

    >>> import torch
    >>> compute_laplacian(torch.full((1, 3, 5, 7), 9, dtype=torch.uint8)).abs().max().item() < 1e-6
    True
    """
    picture = image.float()
    weights = fill_vector(LUMA, picture).view(1, 3, 1, 1) / 255.0
    luma = (picture * weights).sum(dim=1, keepdim=True)
    smooth = _reflect_pad(luma)
    smooth = 0.25 * smooth[..., :-2] + 0.5 * smooth[..., 1:-1] + 0.25 * smooth[..., 2:]
    smooth = 0.25 * smooth[..., :-2, :] + 0.5 * smooth[..., 1:-1, :] + 0.25 * smooth[..., 2:, :]
    padded = _reflect_pad(smooth)
    rows, columns = padded[..., 1:-1], padded[..., 1:-1, :]
    neighbours = rows[..., :-2, :] + rows[..., 2:, :] + columns[..., :-2] + columns[..., 2:]
    return (neighbours - 4.0 * smooth).abs()


def extract_edges(image: UInt8[Tensor, "b 3 h w"], threshold: float | Float[Tensor, " b"]) -> EdgeMap:
    """Binary edge map: 1 where |Laplacian| exceeds the threshold, per image where a vector is given.

    >>> import torch
    >>> step = torch.zeros(1, 3, 4, 8, dtype=torch.uint8); step[..., 4:] = 255
    >>> extract_edges(step, 0.1)[0, 0, 0].tolist()
    [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    limit = threshold.to(image.device).view(-1, 1, 1, 1) if isinstance(threshold, Tensor) else threshold
    return (compute_laplacian(image) > limit).float()


def _reflect_pad(image: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h2 w2"]:
    # Reflection needs two pixels; a one-pixel side repeats itself.
    height, width = image.shape[-2:]
    if height > 1 and width > 1:
        return F.pad(image, (1, 1, 1, 1), mode="reflect")
    return F.pad(image, (1, 1, 1, 1), mode="replicate")
