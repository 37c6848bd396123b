"""What a metric states about itself, so that tables, plots and reports need to know no metric by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.metrics.feature_sets import FeatureSets, Measured

#: ``closer``: to the real photos' own number.
Direction = Literal["higher", "lower", "closer"]

#: Reserved for pool3 features of an Inception-v3 whose weights the user named; nothing else may be called FID.
INCEPTION = "inception2048"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number of a set of pictures.

    Attributes:
        name: unique; the key of JSON results.
        protocol: how it is computed, in one sentence.
        better: the better direction.
        label: column name in tables; the name where empty.
        digits: decimals in tables.
        signed: whether tables write a plus sign.
        shares_oracle: whether tables add the share of the real photos' number.
        omitted_if_equal_to: metric whose column makes this one redundant if all rows have equal numbers in both.
    """

    name: str
    protocol: str
    better: Direction
    label: str = ""
    digits: int = 3
    signed: bool = False
    shares_oracle: bool = False
    omitted_if_equal_to: str = ""

    @property
    def column(self) -> str:
        """Column name in tables."""
        return self.label or self.name


@dataclass(frozen=True, kw_only=True)
class ConfusionMetric(Metric):
    """A number from confusion counts.

    Attributes:
        compute: (classes, classes) counts summed over images, and the channels that count -> the number, or NaN.
        classes: which channels: those scored in ``every_row`` of a table, or those of the ``row`` itself.
    """

    compute: Callable[[NDArray[np.int64], Sequence[int]], float]
    classes: Literal["row", "every_row"] = "row"


@dataclass(frozen=True, kw_only=True)
class FeatureMetric(Metric):
    """A number from features of whole pictures; its full name contains the extractor's.

    Attributes:
        compute: features -> the number, None where it does not apply.
        known_as: the established name for it over Inception-v3's features, and over no others.
        least_images: with fewer images on either side there is no number.
        needs_full_rank: under its established name it also needs more images than features have dimensions.
    """

    compute: Callable[[FeatureSets], Measured | None]
    known_as: str = ""
    least_images: int = 2
    needs_full_rank: bool = False

    def count_needed(self, extractor: str, dimensions: int) -> int:
        """Images that each side needs.

        >>> from sflow_pipeline.metrics.frechet import FRECHET
        >>> FRECHET.count_needed("espnetv2", 256), FRECHET.count_needed(INCEPTION, 2048)
        (10, 2049)
        """
        is_established = bool(self.known_as) and extractor == INCEPTION
        return max(self.least_images, dimensions + 1 if self.needs_full_rank and is_established else 0)

    def over(self, extractor: str) -> Metric:
        """The metric over an extractor's features.

        >>> from sflow_pipeline.metrics.frechet import FRECHET
        >>> FRECHET.over("espnetv2").name, FRECHET.over(INCEPTION).name, FRECHET.over("espnetv2").column
        ('frechet_espnetv2', 'fid_inception2048', 'frechet')
        """
        stem = self.known_as if self.known_as and extractor == INCEPTION else self.name
        return Metric(
            name=f"{stem}_{extractor}",
            label=stem.replace("_", " "),
            protocol=self.protocol,
            better=self.better,
            digits=self.digits,
        )
