"""``diversity_<extractor>`` and ``variant_diversity_<extractor>``: how far apart images lie in feature space."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.metrics.feature_sets import FeatureSets, Measured
from sflow_pipeline.metrics.metric import FeatureMetric


def measure_diversity(sets: FeatureSets) -> Measured | None:
    """Between all pictures; None for a single one."""
    return Measured(compute_diversity(sets.features)) if len(sets.features) > 1 else None


def measure_variant_diversity(sets: FeatureSets) -> Measured | None:
    """Between the variants of a sample; None where no sample has two."""
    value = compute_diversity(sets.features, sets.sample_ids)
    return None if np.isnan(value) else Measured(value)


def compute_diversity(features: NDArray[np.floating], groups: Sequence[Hashable] | None = None) -> float:
    """Mean Euclidean distance between the features of two different images.

    Args:
        features: (n, d).
        groups: one key an image; only pairs of one group count, and groups count by their number of pairs. With
            the sample as key this is the diversity between the variants of a sample. All pairs where None.

    Returns:
        the distance, NaN where there is no pair.

    Raises:
        ValueError: not one key an image.

    >>> features = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    >>> round(compute_diversity(features), 3), compute_diversity(features, ["a", "a", "b"])
    (3.333, 5.0)
    """
    if groups is not None and len(groups) != len(features):
        raise ValueError(f"{len(groups)} keys for {len(features)} images: expected one each")
    members: dict[Hashable, list[int]] = defaultdict(list)
    for index, key in enumerate(groups if groups is not None else [0] * len(features)):
        members[key].append(index)
    total, pairs = 0.0, 0
    for indices in members.values():
        chosen = features[indices].astype(np.float64)
        for index in range(1, len(chosen)):
            total += float(np.linalg.norm(chosen[:index] - chosen[index], axis=1).sum())
            pairs += index
    return total / pairs if pairs else float("nan")


DIVERSITY = FeatureMetric(
    name="diversity",
    protocol="mean Euclidean distance between the features of two images of the row",
    better="closer",
    compute=measure_diversity,
)
VARIANT_DIVERSITY = FeatureMetric(
    name="variant_diversity",
    protocol="mean Euclidean distance between the features of two variants of one sample",
    better="higher",
    compute=measure_variant_diversity,
)
