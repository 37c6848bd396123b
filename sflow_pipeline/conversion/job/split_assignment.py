"""Splits that a job makes for a dump without any: kept in the output folder, so that a dump that grows keeps them."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from sflow_pipeline.config.new_splits import NewSplits, assign_splits, name_unit, parse_new_splits
from sflow_pipeline.frames import FrameList, FrameRef, iterate_column, with_column
from sflow_pipeline.simulators.frame_table import find_steps
from sflow_pipeline.storage.canonical_json import encode_json
from sflow_pipeline.storage.commits import STATE_PATH
from sflow_pipeline.storage.filesystem import Folder

#: The splits that sequences, blocks or frames have, also those that the dump has lost again.
SPLITS_PATH = f"{STATE_PATH}/splits.json"


@dataclass(frozen=True)
class SplitAssignment:
    """Splits by unit.

    Attributes:
        wanted: what stays whole, and the shares.
        splits: name of a unit -> its split.
    """

    wanted: NewSplits
    splits: Mapping[str, str]

    def save(self, out: Folder) -> None:
        """Keep it for the next run; a file that says the same is left alone."""
        data = encode_json({**asdict(self.wanted), "splits": dict(self.splits)})
        try:
            is_kept = out.read_bytes(SPLITS_PATH) == data
        except OSError:
            is_kept = False
        if not is_kept:
            out.write_bytes(SPLITS_PATH, data)


def assign_frames(
    frames: Sequence[FrameRef], split_by: str, out: Folder, on_damaged: Callable[[str], None]
) -> tuple[FrameList, SplitAssignment]:
    """The frames under new splits; those that earlier runs over ``out`` gave to the same shares are kept.

    Args:
        frames: of the dump.
        split_by: unit and shares, as ``sequence 0.8/0.1/0.1``.
        out: the dataset's folder.
        on_damaged: gets the path of the kept splits where they cannot be read.

    Raises:
        UsageError: there are fewer units than splits.
    """
    wanted = parse_new_splits(*split_by.split())
    names = ("sequence_id", "frame_index", "sample_id")
    sequences, indices, samples = (list(iterate_column(frames, name)) for name in names)
    steps = find_steps(zip(sequences, indices, strict=True)) if wanted.unit == "block" else {}
    units = [
        name_unit(wanted.unit, sequence, index, sample, steps.get(sequence, 1))
        for sequence, index, sample in zip(sequences, indices, samples, strict=True)
    ]
    known = _load(out, wanted, on_damaged)
    splits = assign_splits(Counter(units), wanted, known)
    return with_column(frames, "split", [splits[unit] for unit in units]), SplitAssignment(wanted, {**known, **splits})


def _load(out: Folder, wanted: NewSplits, on_damaged: Callable[[str], None]) -> dict[str, str]:
    try:
        content = json.loads(out.read_bytes(SPLITS_PATH))
        if {name: content[name] for name in ("unit", "shares")} != asdict(wanted):
            return {}
        return {str(name): str(split) for name, split in content["splits"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        on_damaged(SPLITS_PATH)
        return {}
