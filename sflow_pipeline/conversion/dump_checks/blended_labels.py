"""Labels that were resized like pictures: ids of other classes stand between two classes, along their borders."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.dump_checks.sampled_frame import GO_ON, SampledFrame
from sflow_pipeline.simulators import Dump, Problem

#: Genuine labels have ids in between on up to 0.04 of their borders, blended ones on 0.18 to 0.70 (12 published sets).
_SHARE, _LEAST_BORDER_PX = 0.1, 500


def judge_blending(dump: Dump, looks: Sequence[SampledFrame]) -> list[Problem]:
    """Ids between those of two classes on a tenth of the borders, and more often there than beyond both."""
    if dump.label_encoding not in ("ids", "red_channel") or not looks:
        return []
    counts = np.array([count_steps(look.label_map) for look in looks])
    between, beyond, border = counts.sum(axis=0).tolist()
    if border < _LEAST_BORDER_PX or between < _SHARE * border or between <= beyond:
        return []
    worst = looks[int(counts[:, 0].argmax())].frame.label
    text = (
        f"labels look as if they were resized like pictures: between two classes stand ids of others, on "
        f"{between / border:.0%} of the borders in {len(looks)} labels, first {worst}; write them again at their own "
        f"size, or resize them by nearest neighbour, {GO_ON}"
    )
    return [Problem("blended_labels", text, (worst,), "error")]


def count_steps(label_map: NDArray[Any]) -> tuple[int, int, int]:
    """Pixels between two neighbours of other ids, row by row and column by column.

    Args:
        label_map: (h, w) class ids.

    Returns:
        pixels whose id is between those of both neighbours; pixels whose id is above or below both; all borders.

    >>> count_steps(np.array([[1, 1, 5, 9, 9, 9]]))
    (1, 0, 2)
    """
    between = beyond = border = 0
    for rows in (label_map.astype(np.int64), label_map.T.astype(np.int64)):
        before, here, after = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
        is_thin = (before != here) & (here != after) & (before != after)
        is_between = is_thin & (np.minimum(before, after) < here) & (here < np.maximum(before, after))
        between += int(is_between.sum())
        beyond += int((is_thin & ~is_between).sum())
        border += int((rows[:, 1:] != rows[:, :-1]).sum())
    return between, beyond, border
