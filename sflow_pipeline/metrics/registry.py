"""Every metric by name: how it is computed, and the protocol that the name stands for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.metrics.feature_diversity import measure_diversity, measure_variant_diversity
from sflow_pipeline.metrics.feature_sets import FeatureSets, Measured
from sflow_pipeline.metrics.frechet import measure_frechet
from sflow_pipeline.metrics.kernel import measure_kernel
from sflow_pipeline.metrics.miou import compute_miou
from sflow_pipeline.metrics.pixel_accuracy import compute_pixel_accuracy

#: ``closer``: to the real photos' own number.
Direction = Literal["higher", "lower", "closer"]

#: Reserved for pool3 features of an Inception-v3 whose weights the user named; nothing else may be called FID.
INCEPTION = "inception2048"


@dataclass(frozen=True)
class JudgeMetric:
    """A number from what a judge saw.

    Attributes:
        name: as in tables.
        protocol: one sentence that says how it is computed.
        better: which way is better.
        compute: (classes, classes) counts summed over images, and the channels that count -> the number, or NaN.
        classes: which channels: those scored in ``every_row`` of a table, or those of the ``row`` itself.
    """

    name: str
    protocol: str
    better: Direction
    compute: Callable[[NDArray[np.int64], Sequence[int]], float]
    classes: Literal["row", "every_row"] = "row"


@dataclass(frozen=True)
class FeatureMetric:
    """A number from features.

    Attributes:
        stem: the name less the extractor's.
        protocol, better: as for ``JudgeMetric``.
        compute: features -> the number, None where it does not apply.
        known_as: the stem that the field knows it by, over Inception-v3's features only.
    """

    stem: str
    protocol: str
    better: Direction
    compute: Callable[[FeatureSets], Measured | None]
    known_as: str = ""

    def name_with(self, extractor: str) -> str:
        """The metric's name over an extractor's features.

        >>> metric = FEATURE_METRICS["frechet"]
        >>> metric.name_with("espnetv2"), metric.name_with(INCEPTION)
        ('frechet_espnetv2', 'fid_inception2048')
        """
        return f"{self.known_as if self.known_as and extractor == INCEPTION else self.stem}_{extractor}"


JUDGE_METRICS: Mapping[str, JudgeMetric] = {
    metric.name: metric
    for metric in (
        JudgeMetric(
            "pixel_accuracy",
            "share of the pixels with a scored true class that the judge gives that class, all images together",
            "higher",
            lambda confusion, _channels: compute_pixel_accuracy(confusion),
        ),
        JudgeMetric(
            "miou",
            "intersection over union per class, all images together, mean over the classes in the row's truth",
            "higher",
            compute_miou,
        ),
        JudgeMetric(
            "miou_common",
            "as miou, mean over the classes that occur in the truth of every row of the table",
            "higher",
            compute_miou,
            classes="every_row",
        ),
    )
}

FEATURE_METRICS: Mapping[str, FeatureMetric] = {
    metric.stem: metric
    for metric in (
        FeatureMetric(
            "frechet",
            "Fréchet distance between Gaussians fitted to the features of the row and of the real photos",
            "lower",
            measure_frechet,
            known_as="fid",
        ),
        FeatureMetric(
            "kernel",
            "unbiased squared MMD to the real photos with the kernel (x·y/d + 1)³, mean over subsets as in KID",
            "lower",
            measure_kernel,
            known_as="kid",
        ),
        FeatureMetric(
            "diversity",
            "mean Euclidean distance between the features of two images of the row",
            "closer",
            measure_diversity,
        ),
        FeatureMetric(
            "variant_diversity",
            "mean Euclidean distance between the features of two variants of one sample",
            "higher",
            measure_variant_diversity,
        ),
    )
}


def list_protocols() -> dict[str, str]:
    """Name -> protocol of every metric, for reports."""
    return {
        **{name: metric.protocol for name, metric in JUDGE_METRICS.items()},
        **{f"{stem}_<extractor>": metric.protocol for stem, metric in FEATURE_METRICS.items()},
    }


def find_direction(name: str) -> Direction:
    """Which way is better for a metric by its name in tables.

    Raises:
        KeyError: no metric has that name.

    >>> find_direction("miou"), find_direction("diversity_espnetv2"), find_direction("fid_inception2048")
    ('higher', 'closer', 'lower')
    """
    if name in JUDGE_METRICS:
        return JUDGE_METRICS[name].better
    for metric in FEATURE_METRICS.values():
        if name.startswith((f"{metric.stem}_", *([f"{metric.known_as}_"] if metric.known_as else []))):
            return metric.better
    raise KeyError(name)
