"""New splits: whole sequences, blocks of frames or single frames, shared out among train, val and test."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sflow_pipeline.errors import UsageError

#: What stays whole: a sequence, so many consecutive frames of one, or a frame.
UNITS = ("sequence", "block", "frame")
BLOCK_FRAMES = 50
_NAMES = ("train", "val", "test")
_EXAMPLE = "--split-by sequence 0.8/0.1/0.1"


@dataclass(frozen=True)
class NewSplits:
    """How rows are shared out.

    Attributes:
        unit: ``sequence``, ``block`` (of 50 frames) or ``frame``; one is never divided.
        shares: split -> share of the rows; they sum to 1.
    """

    unit: str
    shares: Mapping[str, float]


def parse_new_splits(unit: str, shares: str) -> NewSplits:
    """From the two words of ``--split-by``.

    Raises:
        UsageError: an unknown unit, or shares that are not two or three numbers above 0 with the sum 1.

    >>> parse_new_splits("sequence", "0.8/0.1/0.1").shares
    {'train': 0.8, 'val': 0.1, 'test': 0.1}
    """
    if unit not in UNITS:
        raise UsageError(f"--split-by {unit}: no such unit", hint=f"it is {', '.join(UNITS)}, as in {_EXAMPLE}")
    try:
        numbers = [float(number) for number in shares.split("/")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or not all(number > 0 for number in numbers) or abs(sum(numbers) - 1) > 1e-6:
        raise UsageError(
            f"--split-by {unit} {shares}: shares of train, val and test are two or three numbers above 0, sum 1",
            hint=f"for example {_EXAMPLE}",
        )
    return NewSplits(unit, dict(zip(_NAMES, numbers, strict=False)))


def name_unit(unit: str, sequence_id: str, frame_index: int, sample_id: str, step: int = 1) -> str:
    """What a frame stays together with; ``step`` is the usual difference of consecutive frame numbers.

    >>> name_unit("block", "town/1", 120, "town/1/0120"), name_unit("block", "town/1", 2400, "town/1/2400", 20)
    ('town/1#2', 'town/1#2 of 20')
    """
    if unit == "sequence":
        return sequence_id
    stepped = "" if step == 1 else f" of {step}"
    return sample_id if unit == "frame" else f"{sequence_id}#{frame_index // step // BLOCK_FRAMES}{stepped}"


def assign_splits(
    rows_of: Mapping[str, int], wanted: NewSplits, known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A split for each unit, as near to the shares as whole units allow; every split gets one.

    Units are taken in an order that their names decide, so the same dataset gives the same splits.

    Args:
        rows_of: name of a unit -> its rows.
        wanted: the shares.
        known: splits that units have already; they keep them.

    Raises:
        UsageError: there are fewer units than splits.

    >>> splits = assign_splits({name: 10 for name in "abcdefghij"}, parse_new_splits("sequence", "0.8/0.1/0.1"))
    >>> [list(splits.values()).count(name) for name in ("train", "val", "test")]
    [8, 1, 1]
    """
    known = known or {}
    assigned = {name: known[name] for name in rows_of if known.get(name) in wanted.shares}
    empty = [split for split in wanted.shares if split not in assigned.values()]
    ordered = sorted(rows_of.keys() - assigned.keys(), key=_hash)
    if len(ordered) < len(empty) and not assigned:
        shares = "/".join(f"{share:g}" for share in wanted.shares.values())
        finer = [f"--split-by {unit} {shares}" for unit in UNITS[UNITS.index(wanted.unit) + 1 :]]
        other = f", or divide something smaller: {' or '.join(finer)}" if finer else ""
        raise UsageError(
            f"--split-by {wanted.unit}: {len(rows_of)} of them cannot make {len(wanted.shares)} splits",
            hint=f"{'give fewer shares' if len(wanted.shares) > 2 else 'give a larger dataset'}{other}",
        )
    total = sum(rows_of.values())
    missing = {split: share * total for split, share in wanted.shares.items()}
    for name, split in assigned.items():
        missing[split] -= rows_of[name]
    for position, name in enumerate(ordered):
        candidates = empty if empty and len(ordered) - position <= len(empty) else list(missing)
        split = max(candidates, key=lambda candidate: missing[candidate])
        assigned[name] = split
        missing[split] -= rows_of[name]
        empty = [other for other in empty if other != split]
    return assigned


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "backslashreplace")).digest()
