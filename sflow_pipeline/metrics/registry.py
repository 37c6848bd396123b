"""Every metric by name, with the protocol that the name stands for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """What a number means.

    Attributes:
        name: as in tables; ``<extractor>`` in it stands for the feature extractor's name.
        protocol: one sentence that says how it is computed.
        better: which way is better; ``closer`` to the real photos' own number where that is the point.
        needs: what it is computed from.
    """

    name: str
    protocol: str
    better: Literal["higher", "lower", "closer"]
    needs: Literal["judge", "extractor"]

    def name_with(self, extractor: str) -> str:
        """The name with an extractor's; the Inception network's names are the ones the field knows.

        >>> METRICS["frechet_<extractor>"].name_with("espnetv2"), METRICS["frechet_<extractor>"].name_with(INCEPTION)
        ('frechet_espnetv2', 'fid_inception2048')
        """
        known = {"frechet_<extractor>": f"fid_{INCEPTION}", "kernel_<extractor>": f"kid_{INCEPTION}"}
        if extractor == INCEPTION and self.name in known:
            return known[self.name]
        return self.name.replace("<extractor>", extractor)


#: Reserved for pool3 features of an Inception-v3 whose weights the user named; nothing else may be called FID.
INCEPTION = "inception2048"

_ALL = (
    Metric(
        "pixel_accuracy",
        "share of the pixels with a scored true class that the judge gives that class, all images together",
        "higher",
        "judge",
    ),
    Metric(
        "miou",
        "intersection over union of the judge's classes, all images together, mean over the classes in the row's truth",
        "higher",
        "judge",
    ),
    Metric(
        "miou_common",
        "as miou, mean over the classes that occur in the truth of every row of the table",
        "higher",
        "judge",
    ),
    Metric(
        "frechet_<extractor>",
        "Fréchet distance between Gaussians fitted to the features of the row and of the real photos",
        "lower",
        "extractor",
    ),
    Metric(
        "kernel_<extractor>",
        "unbiased squared MMD to the real photos with the kernel (x·y/d + 1)³, mean over subsets as in KID",
        "lower",
        "extractor",
    ),
    Metric(
        "diversity_<extractor>",
        "mean Euclidean distance between the features of two images of the row",
        "closer",
        "extractor",
    ),
    Metric(
        "variant_diversity_<extractor>",
        "mean Euclidean distance between the features of two variants of one sample",
        "higher",
        "extractor",
    ),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}
