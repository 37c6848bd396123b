"""Input and result of metrics on features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FeatureSets:
    """Features of a set of pictures and of the real photos.

    Attributes:
        features: (n, d).
        sample_ids: n of them; variants of a sample repeat its id.
        reference: (m, d) of the real photos; None where the set is the real photos.
    """

    features: NDArray[np.floating]
    sample_ids: Sequence[str]
    reference: NDArray[np.floating] | None


@dataclass(frozen=True)
class Measured:
    """A number, its standard deviation over subsets where there are some, a note, and its 95 % interval."""

    value: float
    spread: float | None = None
    note: str = ""
    interval: tuple[float, float] | None = None
