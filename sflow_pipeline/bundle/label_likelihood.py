"""Likelihood of a label under a segmenter's answers, as a whole, in the worst region, and with two classes exchanged.

Log-probabilities are (b, classes, h, w); ``position`` (b, h, w) is each pixel's class among them, and ``labelled`` says
where it has one.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

#: Log-probabilities are cut off here, so that no pixel counts without bound.
LEAST_LOG = -6.0
#: Classes that cover less than this share of the labelled pixels are not exchanged with others.
SMALLEST_SHARE = 0.01
#: Windows in which the worst region is looked for, as a share of the height.
_WINDOW = 1 / 6


def score_label(position: Tensor, labelled: Tensor, log_probability: Tensor) -> Tensor:
    """(b,) mean log-probability of a label over its labelled pixels."""
    taken = take_class(log_probability, position, labelled)
    return taken.sum(dim=(1, 2)) / count_labelled(labelled)


def count_labelled(labelled: Tensor) -> Tensor:
    """(b,) number of labelled pixels, at least 1."""
    return labelled.sum(dim=(1, 2)).clamp(min=1)


def take_class(values: Tensor, position: Tensor, labelled: Tensor) -> Tensor:
    """(b, h, w) each pixel's value at its class, 0 where it has none, of (b, classes, h, w)."""
    return values.gather(1, position[:, None])[:, 0] * labelled


def find_largest_mean(surprise: Tensor) -> Tensor:
    """(b,) the largest mean of (b, h, w) over any square window, in steps of a quarter of it."""
    side = max(1, round(_WINDOW * surprise.shape[1]))
    side = min(side, *surprise.shape[1:])
    means = F.avg_pool2d(surprise[:, None], side, stride=max(1, side // 4))
    return means.flatten(1).amax(dim=1)


def compare_exchanged(mean_log: Tensor, shares: Tensor) -> Tensor:
    """(b,) the smaller loss, of two classes, of log-probability when they are exchanged, for the worst two.

    Args:
        mean_log: (b, classes, classes) mean log-probability of each class over the pixels of each labelled class.
        shares: (b, classes) of the labelled pixels.
    """
    kept = mean_log.diagonal(dim1=1, dim2=2)[:, :, None]
    loss = kept - mean_log
    pair = torch.maximum(loss, loss.transpose(1, 2))
    large = shares >= SMALLEST_SHARE
    counted = (
        large[:, :, None] & large[:, None, :] & ~torch.eye(shares.shape[1], dtype=torch.bool, device=shares.device)
    )
    return torch.where(counted, pair, torch.full_like(pair, -LEAST_LOG)).flatten(1).amin(dim=1)
