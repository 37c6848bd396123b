"""Labels of which a part seems to be missing: much more of them is void than of the dump's other labels."""

from collections.abc import Mapping
from dataclasses import replace

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
    if len(shares) < _LEAST_LABELS:
        return {}
    ordered = sorted(shares.values())
    low, high = (ordered[int(part * (len(ordered) - 1))] for part in (0.25, 0.75))
    limit = max(_HALF_VOID, high + max(_MORE_VOID, _MORE_QUARTILES * (high - low)))
    hint = "render the label again, or leave the frame out; --max-frame-void 1 keeps such frames"
    return {
        path: SetAside(
            "void_label",
            f"{path}: {share:.0%} of its pixels belong to no class, in three quarters of the labels {high:.0%} or "
            "less: a part of it may be missing",
            hint,
        )
        for path, share in shares.items()
        if limit <= share <= _WHOLLY_VOID
    }


def set_half_void_aside(tasks: list[ShardTask], shares: Mapping[str, float]) -> list[ShardTask]:
    """The same shards, without the frames whose labels stand out; only shards with such frames change."""
    found = find_half_void(shares)
    changed = []
    for task in tasks:
        aside = {frame.ref.sample_id: found[frame.ref.label] for frame in task.frames if frame.ref.label in found}
        fingerprint = compute_digest([task.fingerprint, sorted(aside)]) if aside else task.fingerprint
        changed.append(replace(task, fingerprint=fingerprint, set_aside=aside) if aside else task)
    return changed
