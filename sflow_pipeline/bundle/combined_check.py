"""The check ``together``: how far several checks of one picture lie below what is usual, in one number.

A label of another frame lowers many checks a little, a photo at night one or two of them much. So every check counts up
to a limit.
"""

from collections.abc import Mapping, Sequence

import numpy as np

#: Checks of picture and label that are about the whole frame.
COMBINED = ("likelihood", "region", "objects", "outlines", "mirror")
#: No check counts for more than so many times the usual distance from its median, nor for less than once above it.
_MOST, _LEAST = 4.0, -1.0
#: The usual distance is that of this quantile from the median.
_QUANTILE = 0.1


def measure_usual_checks(checks: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Check -> its median over real photos, and how far a tenth of them lie below it.

    >>> measure_usual_checks([{name: float(i) for name in COMBINED} for i in range(11)])["outlines"]
    [5.0, 4.0]
    """
    usual = {}
    for name in COMBINED:
        values = [each[name] for each in checks]
        median, low = np.quantile(values, [0.5, _QUANTILE]).tolist()
        usual[name] = [round(median, 4), round(max(median - low, 1e-3), 4)]
    return usual


def combine_checks(checks: Mapping[str, float], usual: Mapping[str, Sequence[float]]) -> float:
    """Minus the sum of the distances below the medians, larger being better.

    >>> usual = {name: [1.0, 0.5] for name in COMBINED}
    >>> combine_checks({name: 1.0 for name in COMBINED} | {"outlines": -99.0, "mirror": 0.5}, usual)
    -5.0
    """
    shortfall = [(usual[name][0] - checks[name]) / usual[name][1] for name in COMBINED]
    return -float(np.clip(shortfall, _LEAST, _MOST).sum())
