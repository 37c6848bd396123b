"""New splits for an export: whole sequences, or frames, shared out among train, val and test."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sflow_pipeline.dataset.contents import Contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.errors import UsageError

#: What is never divided -> the column that names it.
UNITS = {"sequence": "sequence_id", "frame": "sample_id"}
_NAMES = ("train", "val", "test")
_EXAMPLE = "--split-by sequence 0.8/0.1/0.1"


@dataclass(frozen=True)
class NewSplits:
    """How rows are shared out.

    Attributes:
        unit: ``sequence`` or ``frame``; one is never divided.
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
        raise UsageError(f"--split-by {unit}: no such unit", hint=f"it is sequence or frame: {_EXAMPLE}")
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


def read_rows_by_split(
    contents: Contents, wanted: NewSplits, splits: Sequence[str] | None, variants: Collection[int] | None
) -> Iterator[Row]:
    """The chosen rows under their new splits, in the order of split, sequence, frame, variant.

    Raises:
        UsageError: there are fewer sequences or frames than splits, or no such split.
        OutputError: a shard is gone or damaged.
    """
    column = UNITS[wanted.unit]
    units_of = {
        shard.shard_id: Counter(values[column] for values in contents.read_shard(shard, []))
        for shard in contents.select_shards(splits)
    }
    totals: Counter[str] = Counter()
    for counts in units_of.values():
        totals.update(counts)
    split_of = assign_splits(totals, wanted)
    for split in wanted.shares:
        for shard in contents.select_shards(splits):
            if not any(split_of[unit] == split for unit in units_of[shard.shard_id]):
                continue
            for values in contents.read_shard(shard):
                if split_of[values[column]] == split and (variants is None or values["variant"] in variants):
                    yield Row({**values, "split": split}, contents.label_format)


def assign_splits(rows_of: Mapping[str, int], wanted: NewSplits) -> dict[str, str]:
    """A split for each unit, as near to the shares as whole units allow; every split gets one.

    Units are taken in an order that their names decide, so the same dataset gives the same splits.

    Args:
        rows_of: name of a sequence or frame -> its rows.
        wanted: the shares.

    Raises:
        UsageError: there are fewer units than splits.

    >>> splits = assign_splits({name: 10 for name in "abcdefghij"}, parse_new_splits("sequence", "0.8/0.1/0.1"))
    >>> sorted(Counter(splits.values()).items())
    [('test', 1), ('train', 8), ('val', 1)]
    """
    if len(rows_of) < len(wanted.shares):
        other = "" if wanted.unit == "frame" else ", or divide frames: --split-by frame 0.8/0.1/0.1"
        raise UsageError(
            f"--split-by {wanted.unit}: {len(rows_of)} of them cannot make {len(wanted.shares)} splits",
            hint=f"give fewer shares{other}",
        )
    total = sum(rows_of.values())
    missing = {split: share * total for split, share in wanted.shares.items()}
    empty = list(wanted.shares)
    assigned: dict[str, str] = {}
    ordered = sorted(rows_of, key=lambda name: hashlib.sha256(name.encode("utf-8", "backslashreplace")).digest())
    for position, name in enumerate(ordered):
        candidates = empty if len(ordered) - position <= len(empty) else list(missing)
        split = max(candidates, key=lambda candidate: missing[candidate])
        assigned[name] = split
        missing[split] -= rows_of[name]
        empty = [other for other in empty if other != split]
    return assigned
