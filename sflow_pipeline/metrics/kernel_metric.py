"""``kernel_<extractor>``: kernel distance of a set of pictures to the real photos, as in KID, with an interval."""

import numpy as np

from sflow_pipeline.metrics.feature_sets import FeatureSets, Measured
from sflow_pipeline.metrics.frechet import LEAST_IMAGES
from sflow_pipeline.metrics.grouped_kernel import GroupedFeatures, compute_kernel_interval
from sflow_pipeline.metrics.kernel import compute_kernel_distance
from sflow_pipeline.metrics.metric import FeatureMetric

#: Larger sets have no interval: it takes the kernel of all pairs at once.
_MOST_FOR_INTERVAL = 4000


def measure_kernel(sets: FeatureSets) -> Measured | None:
    """Distance of a set of pictures to the real photos; None for the real photos themselves."""
    if sets.reference is None:
        return None
    distance = compute_kernel_distance(sets.features, sets.reference)
    how = (
        f"{distance.subsets} subsets of {distance.subset_size}"
        if distance.subsets > 1
        else f"all {distance.subset_size}"
    )
    interval = None
    if max(len(sets.features), len(sets.reference)) <= _MOST_FOR_INTERVAL:
        samples = {name: i for i, name in enumerate(dict.fromkeys(sets.sample_ids))}
        own = np.array([samples[name] for name in sets.sample_ids], np.int64)
        photos = np.arange(len(sets.reference))
        interval = compute_kernel_interval(
            GroupedFeatures(sets.features, own, len(samples)),
            GroupedFeatures(sets.reference, photos, len(photos)),
        )
    return Measured(distance.value, distance.spread, f"{how} images of each", interval)


KERNEL = FeatureMetric(
    name="kernel",
    protocol="unbiased squared MMD to the real photos with the kernel (x·y/d + 1)³, mean over subsets as in KID",
    better="lower",
    digits=4,
    compute=measure_kernel,
    known_as="kid",
    least_images=LEAST_IMAGES,
)
