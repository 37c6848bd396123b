"""Pairs the files that adapters find into frames: unique safe ids, frame numbers, gaps, missing partners."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from sflow_pipeline.frames import FrameRef
from sflow_pipeline.simulators.folder_walk import Folder
from sflow_pipeline.simulators.problems import ProblemLog

#: The sequence of files that are in no sequence folder.
ROOT_SEQUENCE = "main"
DEFAULT_SPLIT = "train"
_SPLIT_OF = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
#: Folder names that say which split their frames are in.
SPLIT_NAMES = frozenset(_SPLIT_OF)
_NUMBER = re.compile(r"[0-9]+")
_MOTION = ("flow", "occlusion")  # between frames: the first or the last of a sequence has none
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass
class FrameTable:
    """Frames in the making. Adapters call ``add_sequence``; ``frames`` sorts and closes."""

    log: ProblemLog
    _frames: list[FrameRef] = field(default_factory=list)

    def add_sequence(
        self,
        sequence_id: str,
        split: str,
        files: Mapping[str, Mapping[str, str]],
        numbers: Mapping[str, int] | None = None,
    ) -> None:
        """Add the frames of one sequence.

        Args:
            sequence_id: its id, a relative path.
            split: ``train``, ``val``, ``test`` or another name.
            files: modality -> frame name -> path relative to the dump; ``render`` and ``label`` must be there.
            numbers: frame name -> frame number, where the names do not simply end in it.
        """
        renders, labels = files["render"], files["label"]
        for name in sorted(renders.keys() - labels.keys()):
            self.log.add("missing_label", renders[name])
        for name in sorted(labels.keys() - renders.keys()):
            self.log.add("missing_render", labels[name])
        names = sorted(renders.keys() & labels.keys())
        if numbers is None or not numbers.keys() >= set(names):
            numbers = number_frames(names)
        ends = {min(names, key=numbers.__getitem__), max(names, key=numbers.__getitem__)} if names else set()
        extras = [(modality, paths) for modality, paths in files.items() if modality not in ("render", "label")]
        for name in names:
            for modality, paths in extras:
                is_end_of_motion = modality in _MOTION and name in ends
                if paths and name not in paths and not is_end_of_motion:
                    self.log.add("missing_modality", renders[name], modality)
            self._frames.append(
                FrameRef(
                    sample_id=f"{sequence_id}/{name}",
                    sequence_id=sequence_id,
                    frame_index=numbers[name],
                    split=split,
                    render=renders[name],
                    label=labels[name],
                    **{modality: paths.get(name) for modality, paths in extras},
                )
            )

    def frames(self) -> tuple[FrameRef, ...]:
        """All frames, sorted by split, sequence, frame index, sample id; duplicates left out, gaps logged."""
        self._frames.sort(key=lambda f: (f.split, f.sequence_id, f.frame_index, f.sample_id))
        counts = Counter(frame.sample_id for frame in self._frames)
        if len(counts) < len(self._frames):
            for frame in self._frames:
                if counts[frame.sample_id] > 1:
                    self.log.add("duplicate_id", frame.render, frame.sample_id)
            self._frames = [frame for frame in self._frames if counts[frame.sample_id] == 1]
        for (_, sequence_id), numbers in self.numbers().items():
            gaps = find_gaps(numbers)
            if gaps:
                self.log.add(
                    "gap", sequence_id, f"after {', '.join(map(str, gaps[:3]))}{', …' if len(gaps) > 3 else ''}"
                )
        return tuple(self._frames)

    def numbers(self) -> dict[tuple[str, str], list[int]]:
        """(split, sequence) -> its frame numbers, ascending once ``frames`` was called."""
        found: dict[tuple[str, str], list[int]] = {}
        for frame in self._frames:
            found.setdefault((frame.split, frame.sequence_id), []).append(frame.frame_index)
        return found


def index_files(folder: Folder, log: ProblemLog, suffixes: Iterable[str] = IMAGE_SUFFIXES) -> dict[str, str]:
    """Frame name (file name without suffix) -> path, for the files of a folder with one of the suffixes."""
    allowed = frozenset(suffixes)
    found: dict[str, str] = {}
    clashing = set()
    for file in folder.files:
        name, dot, suffix = file.rpartition(".")
        if dot and name and f".{suffix.lower()}" in allowed:
            if name in found:
                clashing.add(name)
                log.add("duplicate_id", folder.join(file))
                log.add("duplicate_id", found[name])
            found[name] = folder.join(file)
    for name in clashing:
        del found[name]
    return found


def number_frames(names: list[str]) -> dict[str, int]:
    """Frame numbers of a sequence: the last number in each name, or positions where those do not tell frames apart.

    >>> number_frames(["cam0_f00930", "cam0_f00960"])
    {'cam0_f00930': 930, 'cam0_f00960': 960}
    >>> number_frames(["left", "right"])
    {'left': 0, 'right': 1}
    """
    runs = [_NUMBER.findall(name) for name in names]
    if all(found and len(found[-1]) <= 18 for found in runs):
        numbers = {name: int(found[-1]) for name, found in zip(names, runs, strict=True)}
        if len(set(numbers.values())) == len(names):
            return numbers
    return {name: position for position, name in enumerate(names)}


def find_gaps(numbers: list[int]) -> list[int]:
    """Frame numbers after which frames are missing, judged by the step that most neighbours have.

    >>> find_gaps([0, 2, 4, 8, 10])
    [4]
    """
    usual = find_usual_step(numbers)
    return [a for a, b in pairwise(numbers) if usual and b - a > usual]


def find_usual_step(numbers: list[int]) -> int | None:
    """The most frequent difference of neighbours, the smallest of equals; None for fewer than two numbers."""
    steps = Counter(b - a for a, b in pairwise(numbers))
    return min(steps, key=lambda step: (-steps[step], step)) if steps else None


def split_of(path: str) -> str:
    """The split that a path's folders name, ``train`` where none does.

    >>> split_of("data/validation/town01"), split_of("town01")
    ('val', 'train')
    """
    for part in path.split("/"):
        if part.lower() in _SPLIT_OF:
            return _SPLIT_OF[part.lower()]
    return DEFAULT_SPLIT


def sequence_of(path: str) -> str:
    """The sequence id of a folder, relative to the dump."""
    return path or ROOT_SEQUENCE
