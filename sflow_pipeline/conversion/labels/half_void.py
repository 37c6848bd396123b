"""Labels of which a part seems to be missing: much more of them is void than of the dump's other labels."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.shard_task import SetAside, ShardTask
from sflow_pipeline.storage.canonical_json import compute_digest

#: A label stands out that has at least this share of void, and so much more than three quarters of the labels have; in
#: scenes of objects the share varies, and the distance between the quartiles counts as in a box plot.
_HALF_VOID, _MORE_VOID, _MORE_QUARTILES, _LEAST_LABELS = 0.4, 0.25, 1.5, 3
#: From this share on a label is refused by itself, see ``frame_content``.
_WHOLLY_VOID = 0.999


def find_half_void(shares: Mapping[str, float]) -> dict[str, SetAside]:
    """Labels that stand out, and why.

    Args:
        shares: path of a label -> share of its pixels that belongs to no class, 0 to 1.

    >>> list(find_half_void({**{f"{i}.png": 0.02 for i in range(9)}, "9.png": 0.52}))
    ['9.png']
    >>> find_half_void({f"{i}.png": 0.1 * i for i in range(10)})
    {}
    """
    paths, values = list(shares), np.array(list(shares.values()))
    usual = _find_usual(values)
    return {paths[i]: _explain(paths[i], values[i], usual) for i in _find_outliers(values, usual)}


def set_half_void_aside(tasks: list[ShardTask], shares: NDArray[np.float64]) -> list[ShardTask]:
    """The same shards, without the frames whose labels stand out; only shards with such frames change.

    Args:
        tasks: the shards.
        shares: (frames of all shards,) share of a label's pixels that belongs to no class; NaN where it is not known.
    """
    usual = _find_usual(shares)
    changed = list(tasks)
    ends = np.cumsum([len(task.frames) for task in tasks])
    aside_of: dict[int, dict[str, SetAside]] = {}
    for row in _find_outliers(shares, usual):
        owner = int(np.searchsorted(ends, row, "right"))
        ref = tasks[owner].frames[row - int(ends[owner]) + len(tasks[owner].frames)].ref
        for number in _list_readers(tasks, ends, owner, row):
            aside_of.setdefault(number, {})[ref.sample_id] = _explain(ref.label, shares[row], usual)
    for number, aside in aside_of.items():
        task = tasks[number]
        # What the reason says is stored, too, and changes with the other labels.
        fingerprint = compute_digest([task.fingerprint, sorted((name, why.message) for name, why in aside.items())])
        changed[number] = replace(task, fingerprint=fingerprint, set_aside=aside)
    return changed


def _list_readers(tasks: list[ShardTask], ends: NDArray[np.int64], owner: int, row: int) -> Iterator[int]:
    """The shard of a row, and those around it that read it as a neighbour."""
    yield owner
    for number in range(owner - 1, -1, -1):
        if row >= int(ends[number]) + len(tasks[number].neighbours.after):
            break
        yield number
    for number in range(owner + 1, len(tasks)):
        if row < int(ends[number - 1]) - len(tasks[number].neighbours.before):
            break
        yield number


class _Usual(NamedTuple):
    """The share that three quarters of the labels do not exceed, and the share from which a label stands out."""

    high: float
    limit: float


def _find_usual(shares: NDArray[np.float64]) -> _Usual:
    known = np.sort(shares[~np.isnan(shares)])
    if known.size < _LEAST_LABELS:
        return _Usual(1.0, np.inf)
    low, high = (float(known[int(part * (known.size - 1))]) for part in (0.25, 0.75))
    return _Usual(high, max(_HALF_VOID, high + max(_MORE_VOID, _MORE_QUARTILES * (high - low))))


def _find_outliers(shares: NDArray[np.float64], usual: _Usual) -> list[int]:
    found: list[int] = np.flatnonzero((shares >= usual.limit) & (shares <= _WHOLLY_VOID)).tolist()
    return found


def _explain(path: str, share: float, usual: _Usual) -> SetAside:
    return SetAside(
        "void_label",
        f"{path}: {share:.0%} of its pixels belong to no class, in three quarters of the labels {usual.high:.0%} or "
        "less: a part of it may be missing",
        "render the label again, or leave the frame out; --max-frame-void 1 keeps such frames",
    )
