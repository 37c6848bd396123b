"""Which frames a report shows: some evenly over the dataset, some with the worst scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sflow_pipeline.report.score_index import IndexedFrame, ScoreIndex, is_better_high

#: Share of the frames that are shown for their scores.
_WORST_SHARE = 1 / 3
#: Score column that names the thresholds which an image missed.
FAILED_CHECKS = "failed_checks"


@dataclass(frozen=True)
class ChosenFrame:
    """A frame on the page; ``reason`` is empty for those that are spread evenly."""

    frame: IndexedFrame
    reason: str = ""


def choose_frames(index: ScoreIndex, count: int) -> list[ChosenFrame]:
    """Choose frames to show, in the order of the dataset.

    Args:
        index: of the dataset.
        count: how many at most; every frame where the dataset has no more.

    Returns:
        a third of them with the worst value of each score in turn (those that failed a check first), the others spread
        evenly.
    """
    worst = _list_worst(index, min(count, len(index.frames)))
    if len(index.frames) <= count:
        return [ChosenFrame(frame, worst.get(i, "")) for i, frame in enumerate(index.frames)]
    few = round(count * _WORST_SHARE)
    chosen = dict(list(worst.items())[:few])
    for position in spread_evenly(len(index.frames), count - len(chosen)):
        chosen.setdefault(position, "")
    return [ChosenFrame(index.frames[i], chosen[i]) for i in sorted(chosen)]


def spread_evenly(total: int, count: int) -> list[int]:
    """``count`` of ``total`` positions at equal distances; all where there are no more.

    >>> spread_evenly(10, 2), spread_evenly(2, 5)
    ([2, 7], [0, 1])
    """
    return [int((i + 0.5) * total / count) for i in range(count)] if total > count else list(range(total))


def _list_worst(index: ScoreIndex, count: int) -> dict[int, str]:
    """Positions of frames with the worst scores, worst first, and the score that each is shown for."""
    few = max(1, round(count * _WORST_SHARE))
    orders = [(name, _sort_frames(index, name, few)) for name in index.scores]
    failed = index.texts.get(FAILED_CHECKS)
    chosen: dict[int, str] = {}
    if failed is not None:
        found = [i for i, frame in enumerate(index.frames) if any(failed[row] for row in frame.rows)]
        shown = few if len(index.frames) > count else len(found)
        chosen = {found[i]: "failed a check" for i in spread_evenly(len(found), shown)}
    for rank in range(few):
        for name, order in orders:
            if rank < len(order) and len(chosen) < few:
                chosen.setdefault(order[rank], f"{'lowest' if is_better_high(name) else 'highest'} {name}")
    return chosen


def _sort_frames(index: ScoreIndex, name: str, count: int) -> Sequence[int]:
    """Positions of the ``count`` frames with the worst value of one score."""
    values = index.worst_of_frames(name)
    order = np.argsort(values if is_better_high(name) else -values, kind="stable")[:count]
    return [int(i) for i in order if not np.isnan(values[i])]
