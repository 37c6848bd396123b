"""Frame table: files paired into frames with unique safe ids and numbers; gaps and missing partners are logged."""

import operator
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import compress, pairwise
from typing import Any

import pyarrow as pa

from sflow_pipeline.columns import PICTURE_SUFFIXES
from sflow_pipeline.errors import DumpError
from sflow_pipeline.frames import (
    FrameList,
    concatenate_frames,
    find_runs,
    get_column,
    is_distinct,
    iterate_values,
    read_rows,
    sort_frames,
)
from sflow_pipeline.simulators.folder_walk import DumpFolder
from sflow_pipeline.simulators.frame_numbers import is_ascending, list_frame_numbers
from sflow_pipeline.simulators.name_affixes import align_padding
from sflow_pipeline.simulators.problems import ProblemLog

#: The sequence of files that are in no sequence folder.
ROOT_SEQUENCE = "main"
DEFAULT_SPLIT = "train"
_SPLIT_OF = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
#: Folder names that name the split of their frames.
SPLIT_NAMES = frozenset(_SPLIT_OF)
_MOTION = ("flow", "occlusion")  # between frames: the first or the last of a sequence has none


#: Rows that are collected as Python's objects before they become Arrow's columns.
_AT_ONCE = 16384


@dataclass
class FrameTable:
    """Collects the frames of a dump. Adapters call ``add_sequence``; ``frames`` sorts and checks them."""

    log: ProblemLog
    _waiting: dict[str, list[Any]] = field(default_factory=dict)
    _parts: list[FrameList] = field(default_factory=list)
    _frames: FrameList | None = None
    _roots: dict[str, str] = field(default_factory=dict)

    def add_sequence(
        self,
        sequence_id: str,
        split: str,
        files: Mapping[str, Mapping[str, str]],
        numbers: Mapping[str, int] | None = None,
        timestamps_s: Mapping[str, float] | None = None,
    ) -> None:
        """Add the frames of one sequence.

        Args:
            sequence_id: its id, a relative path.
            split: ``train``, ``val``, ``test`` or another name.
            files: modality -> frame name -> path relative to the dump; ``label`` must be there, and ``render`` unless
                no frame of the dump has a picture.
            numbers: frame name -> frame number, where the names do not tell it; numbers that repeat do not count.
            timestamps_s: frame name -> the moment that it shows, where a file states it.

        Raises:
            DumpError: the frames at the dump's top would be in one sequence with those of its folder ``main``.
        """
        if files.get("render", files["label"]).keys() != files["label"].keys():
            files = align_padding(files)
        labels = files["label"]
        renders = files.get("render", labels)
        names = sorted(renders)
        if renders.keys() != labels.keys():
            names = sorted(renders.keys() & labels.keys())
            for name in sorted(renders.keys() - labels.keys()):
                self.log.add("missing_label", renders[name])
            for name in sorted(labels.keys() - renders.keys()):
                self.log.add("missing_render", labels[name])
        if not names:
            return
        if sequence_id == ROOT_SEQUENCE:
            first = self._roots.setdefault(split, labels[names[0]])
            if first != labels[names[0]]:
                raise build_root_error(first, labels[names[0]])
        stated = [numbers[name] for name in names if name in numbers] if numbers else []
        is_clear = len(set(stated)) == len(names)
        indices = stated if is_clear else list_frame_numbers(names)
        if not is_ascending(indices):
            order = sorted(zip(indices, names, strict=True))
            indices, names = [number for number, _ in order], [name for _, name in order]
        self._check_extras(names, files)
        self._append(
            {
                "sample_id": [f"{sequence_id}/{name}" for name in names],
                "sequence_id": [sequence_id] * len(names),
                "frame_index": indices,
                "split": [split] * len(names),
                **{modality: _list_paths(names, paths) for modality, paths in files.items() if paths},
                **({"timestamp_s": [timestamps_s.get(name) for name in names]} if timestamps_s else {}),
            }
        )

    def frames(self) -> FrameList:
        """All frames, sorted by split, sequence, frame index, sample id; duplicates left out, gaps logged."""
        self._pack()
        self._frames = self._leave_out_duplicates(sort_frames(concatenate_frames(self._parts)))
        self._parts = [self._frames]
        for sequence_id, numbers in self.numbers():
            gaps = find_gaps(numbers)
            if gaps:
                self.log.add(
                    "gap", sequence_id, f"after {', '.join(map(str, gaps[:3]))}{', …' if len(gaps) > 3 else ''}"
                )
        return self._frames

    def numbers(self) -> Iterator[tuple[str, list[int]]]:
        """Each sequence of a split and its frame numbers, ascending; once ``frames`` was called."""
        if self._frames:
            numbers = get_column(self._frames, "frame_index")
            ids = get_column(self._frames, "sequence_id")
            for rows in find_runs(get_column(self._frames, "split"), ids):
                yield str(ids[rows.start]), read_rows(numbers, rows)

    def _append(self, columns: dict[str, list[Any]]) -> None:
        before, count = len(self._waiting.get("sample_id", ())), len(columns["sample_id"])
        for name in dict.fromkeys((*self._waiting, *columns)):
            known = self._waiting.setdefault(name, [None] * before)
            known += columns.get(name) or [None] * count
        if before + count >= _AT_ONCE:
            self._pack()

    def _pack(self) -> None:
        if self._waiting:
            self._parts.append(FrameList(self._waiting))
            self._waiting = {}

    def _check_extras(self, names: list[str], files: Mapping[str, Mapping[str, str]]) -> None:
        """Log frames that lack a file that others of their sequence have."""
        extras = [(modality, paths) for modality, paths in files.items() if modality not in ("render", "label")]
        if all(not paths or paths.keys() >= set(names) for _, paths in extras):
            return
        for name in names:
            for modality, paths in extras:
                is_end_of_motion = modality in _MOTION and name in (names[0], names[-1])
                if paths and name not in paths and not is_end_of_motion:
                    self.log.add("missing_modality", files.get("render", files["label"])[name], modality)

    def _leave_out_duplicates(self, frames: FrameList) -> FrameList:
        if not frames or is_distinct(sample_ids := frames.columns["sample_id"]):
            return frames
        counts = Counter(iterate_values(sample_ids))
        is_unique = [counts[sample_id] == 1 for sample_id in iterate_values(sample_ids)]
        for frame in compress(frames, map(operator.not_, is_unique)):
            self.log.add("duplicate_id", frame.source, frame.sample_id)
        return FrameList({name: column.filter(pa.array(is_unique)) for name, column in frames.columns.items()})


def _list_paths(names: list[str], paths: Mapping[str, str]) -> list[str | None]:
    """The path of each name; the usual case, a folder that is in order, is quicker."""
    return list(paths.values() if list(paths) == names else map(paths.get, names))


def index_files(folder: DumpFolder, log: ProblemLog, suffixes: Iterable[str] = PICTURE_SUFFIXES) -> dict[str, str]:
    """Frame name (file name without suffix) -> path, for the files of a folder with one of the suffixes."""
    allowed = frozenset(suffixes)
    prefix = folder.join("")
    suffix = "." + folder.files[0].rpartition(".")[2] if folder.files else ""
    together = "/".join((*folder.files, ""))
    if suffix.lower() in allowed and together.count(f"{suffix}/") == len(folder.files):  # the usual case, and quicker
        names = together.removesuffix(f"{suffix}/").split(f"{suffix}/")
        return dict(zip(names, [prefix + file for file in folder.files], strict=True))
    found: dict[str, str] = {}
    clashing = set()
    for file in folder.files:
        name, dot, suffix = file.rpartition(".")
        if dot and name and f".{suffix.lower()}" in allowed:
            if name in found:
                clashing.add(name)
                log.add("duplicate_id", folder.join(file))
                log.add("duplicate_id", found[name])
            found[name] = prefix + file
    for name in clashing:
        del found[name]
    return found


def merge_files(files: dict[str, str], other: Mapping[str, str], log: ProblemLog) -> None:
    """Add the files of another folder; where both have one of a name, neither stays."""
    for name, path in other.items():
        if name in files:
            log.add("duplicate_id", files.pop(name))
            log.add("duplicate_id", path)
        else:
            files[name] = path


def find_gaps(numbers: list[int], step: int | None = None) -> list[int]:
    """Frame numbers after which frames are missing, judged by the step that most neighbours have where none is given.

    >>> find_gaps([0, 2, 4, 8, 10])
    [4]
    """
    if numbers and numbers[-1] - numbers[0] == len(numbers) - 1 and is_ascending(numbers):
        return []
    usual = step or find_usual_step(numbers)
    return [a for a, b in pairwise(numbers) if usual and b - a > usual]


def find_usual_step(numbers: list[int]) -> int | None:
    """The most frequent difference of neighbours, the smallest of equals; None for fewer than two numbers."""
    steps = Counter(b - a for a, b in pairwise(numbers))
    return min(steps, key=lambda step: (-steps[step], step)) if steps else None


def find_steps(places: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sequence -> the usual difference of its consecutive frame numbers, 1 for a sequence of one frame.

    Args:
        places: sequence and frame number of every picture, in any order.

    >>> find_steps([("a", 0), ("a", 5), ("a", 5), ("a", 10), ("b", 7)])
    {'a': 5, 'b': 1}
    """
    numbers: dict[str, set[int]] = {}
    for sequence, number in places:
        numbers.setdefault(sequence, set()).add(number)
    return {sequence: find_usual_step(sorted(found)) or 1 for sequence, found in numbers.items()}


def split_of(path: str) -> str:
    """The split that a path's folders name, ``train`` where none does.

    >>> split_of("data/validation/town01"), split_of("town01")
    ('val', 'train')
    """
    for part in path.split("/"):
        if part.lower() in _SPLIT_OF:
            return _SPLIT_OF[part.lower()]
    return DEFAULT_SPLIT


def name_split(name: str) -> str:
    """A split's usual name; another name as it is.

    >>> name_split("Validation"), name_split("night")
    ('val', 'night')
    """
    return _SPLIT_OF.get(name.lower(), name)


def build_root_error(one: str, other: str) -> DumpError:
    """The error of a dump with frames at its top and in a folder that has the name of their sequence."""
    return DumpError(
        f"{one} and {other}: both are of the sequence {ROOT_SEQUENCE}, the name of the frames at the dump's top",
        hint=f"rename the folder {ROOT_SEQUENCE}, or move the frames at the top into a folder of their own",
    )


def sequence_of(path: str) -> str:
    """The sequence id of a folder, relative to the dump."""
    return path or ROOT_SEQUENCE
