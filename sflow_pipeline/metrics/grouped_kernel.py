"""Kernel distance between sets of crops, and its ratio, with a bootstrap over the frames that crops were cut from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.metrics.frechet import check_features
from sflow_pipeline.metrics.interval import COVERAGE, REPLICATES, compute_draw_interval
from sflow_pipeline.metrics.kernel import cubic_kernel

_SEED = 20180104
#: With fewer frames than this, a bootstrap over them says nothing.
MIN_FRAMES_FOR_INTERVAL = 5


@dataclass(frozen=True)
class GroupedFeatures:
    """Features of crops.

    Attributes:
        features: (n, d).
        groups: (n,) index of the frame that each crop was cut from, 0 to ``frames`` - 1.
        frames: how many frames.
    """

    features: NDArray[np.floating]
    groups: NDArray[np.int64]
    frames: int


@dataclass(frozen=True)
class KernelRatio:
    """Kernel distance of one set over that of another to the same reference.

    Attributes:
        value: NaN if the denominator is not positive.
        interval: 95 % bootstrap over frames; None with too few frames, or where it has no finite bounds.
        numerator, denominator: the two distances.
    """

    value: float
    interval: tuple[float, float] | None
    numerator: float
    denominator: float


def compute_kernel_ratio(
    numerator: GroupedFeatures, denominator: GroupedFeatures, reference: GroupedFeatures, replicates: int = REPLICATES
) -> KernelRatio:
    """Unbiased MMD² of the numerator to the reference over that of the denominator, cubic kernel of KID.

    Numerator and denominator show the same frames, so one draw of frames serves both in the bootstrap. Crops of two
    copies of one frame are not paired with each other in a draw, which would raise the mean within a set.

    Args:
        numerator, denominator: with equal ``frames``; group i is the same frame in both.
        reference: real photos.
        replicates: draws of frames and photos; the same ones every time.

    Raises:
        ValueError: ``frames`` differ, or features do not fit together (see ``check_features``).
    """
    if numerator.frames != denominator.frames:
        raise ValueError(f"{numerator.frames} and {denominator.frames} frames: expected the same frames in both")
    rng = np.random.default_rng(_SEED)
    ours, photos = (_draw_frames(rng, each.frames, replicates) for each in (numerator, reference))
    within = _average_within(reference, photos)
    above = _average_within(numerator, ours) + within - 2.0 * _average_across(numerator, reference, ours, photos)
    below = _average_within(denominator, ours) + within - 2.0 * _average_across(denominator, reference, ours, photos)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(below > 0, above / below, np.inf)
    interval = None
    if min(numerator.frames, reference.frames) >= MIN_FRAMES_FOR_INTERVAL and replicates:
        low, high = np.quantile(ratios[1:], [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], method="nearest")
        interval = (float(low), float(high)) if np.isfinite([low, high]).all() else None
    value = float(ratios[0]) if np.isfinite(ratios[0]) else float("nan")
    return KernelRatio(value, interval, float(above[0]), float(below[0]))


def compute_kernel_interval(
    features: GroupedFeatures, reference: GroupedFeatures, replicates: int = REPLICATES
) -> tuple[float, float] | None:
    """95 % interval of the unbiased MMD² of two sets by drawing frames and photos anew; None with too few of them.

    Args, errors: as of ``draw_kernel_distances``.
    """
    if min(features.frames, reference.frames) < MIN_FRAMES_FOR_INTERVAL:
        return None
    return compute_draw_interval(draw_kernel_distances(features, reference, replicates)[1:])


def draw_kernel_distances(
    features: GroupedFeatures, reference: GroupedFeatures, replicates: int = REPLICATES
) -> NDArray[np.float64]:
    """Unbiased MMD² of two sets, cubic kernel of KID, and the same with frames and photos drawn anew.

    A frame or photo that is drawn twice is not paired with itself, which would raise the mean within a set.

    Args:
        features, reference: frames of each are drawn, with all that belongs to them.
        replicates: draws of frames and photos; the same ones for every call with as many of both.

    Returns:
        (1 + replicates,) distances, the first of all frames once; NaN where a draw has fewer than two of either set.

    Raises:
        ValueError: features do not fit together (see ``check_features``).
    """
    rng = np.random.default_rng(_SEED)
    ours, photos = (_draw_frames(rng, each.frames, replicates) for each in (features, reference))
    within = _average_within(features, ours) + _average_within(reference, photos)
    distances = within - 2.0 * _average_across(features, reference, ours, photos)
    drawn = np.minimum(*(d @ _one_hot(c).sum(axis=0) for d, c in ((ours, features), (photos, reference))))
    return np.where(drawn >= 2, distances, np.nan)


def draw_matched_distances(
    first: GroupedFeatures, second: GroupedFeatures, replicates: int = REPLICATES
) -> NDArray[np.float64]:
    """Unbiased MMD² of matched crops, cubic kernel of KID: row i of one set was chosen to go with row i of the other.

    Args:
        first, second: equally many features with the same groups; a draw takes both crops of a pair.
        replicates: draws of frames; the same ones for every call with as many frames.

    Returns:
        (1 + replicates,) distances, the first of all frames once; NaN where a draw has fewer than two crops.

    Raises:
        ValueError: the groups differ, or features do not fit together (see ``check_features``).
    """
    if not np.array_equal(first.groups, second.groups) or first.frames != second.frames:
        raise ValueError("groups of matched crops differ: expected those of the same frames in both")
    x, y = check_features(first.features, second.features)
    draws = _draw_frames(np.random.default_rng(_SEED), first.frames, replicates)
    within = _average_within(first, draws) + _average_within(second, draws)
    member = _one_hot(first)
    counts = member.sum(axis=0)
    # Crops of two copies of one frame are not paired across, either, so that all terms weigh frames alike.
    across = _weigh_within(member.T @ cubic_kernel(x, y) @ member, draws)
    pairs = _weigh_within(np.outer(counts, counts), draws)
    drawn = draws @ counts
    with np.errstate(divide="ignore", invalid="ignore"):
        distances = within - 2.0 * across / pairs
    return np.where(drawn >= 2, distances, np.nan)


def _draw_frames(rng: np.random.Generator, frames: int, replicates: int) -> NDArray[np.float64]:
    """(1 + replicates, frames) how often each frame is drawn; row 0 takes each once."""
    drawn = rng.multinomial(frames, np.full(frames, 1.0 / frames), size=replicates)
    return np.concatenate([np.ones((1, frames)), drawn])


def _average_within(crops: GroupedFeatures, draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """(r,) mean kernel over pairs of two crops of one set, for each (r, frames) draw."""
    features, _ = check_features(crops.features, crops.features)
    kernel = cubic_kernel(features, features)
    np.fill_diagonal(kernel, 0.0)
    member = _one_hot(crops)
    counts = member.sum(axis=0)
    pairs = np.outer(counts, counts) - np.diag(counts)
    return _weigh_within(member.T @ kernel @ member, draws) / np.maximum(_weigh_within(pairs, draws), 1.0)


def _weigh_within(blocks: NDArray[np.float64], draws: NDArray[np.float64]) -> NDArray[np.float64]:
    same = np.diagonal(blocks)
    apart: NDArray[np.float64] = np.einsum("rf,rf->r", draws @ (blocks - np.diag(same)), draws)
    return apart + draws @ same


def _average_across(
    first: GroupedFeatures, second: GroupedFeatures, draws: NDArray[np.float64], other_draws: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(r,) mean kernel over pairs of a crop of each set."""
    x, y = check_features(first.features, second.features)
    member, other = _one_hot(first), _one_hot(second)
    total = np.einsum("rf,rf->r", draws @ (member.T @ cubic_kernel(x, y) @ other), other_draws)
    pairs = (draws @ member.sum(axis=0)) * (other_draws @ other.sum(axis=0))
    return np.asarray(total / np.maximum(pairs, 1.0), np.float64)


def _one_hot(crops: GroupedFeatures) -> NDArray[np.float64]:
    member: NDArray[np.float64] = (crops.groups[:, None] == np.arange(crops.frames)).astype(np.float64)
    return member
