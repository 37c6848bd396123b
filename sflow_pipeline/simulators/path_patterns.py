"""Frame discovery by path patterns, for layouts whose folder and file names identify frames completely."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from sflow_pipeline.columns import is_picture
from sflow_pipeline.frames import FrameList
from sflow_pipeline.label_spaces import InstanceEncoding, LabelEncoding
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.dump_files import is_remote
from sflow_pipeline.simulators.folder_walk import DumpFolder, walk
from sflow_pipeline.simulators.frame_numbers import MAX_DIGITS
from sflow_pipeline.simulators.frame_table import ROOT_SEQUENCE, FrameTable, build_root_error, split_of
from sflow_pipeline.simulators.problems import ProblemLog

#: modality -> pattern of its paths, with a group ``frame`` and groups that name the sequence.
Patterns = Mapping[str, re.Pattern[str]]
#: A layout may start anywhere below the dump; the shortest reading counts.
HEAD = r"(?:(?P<head>.+?)/)??"
_LOOK_FOLDERS, _LOOK_ENTRIES, _LOOK_DEPTH, _LOOK_SIBLINGS = 1000, 1000, 9, 12
_LOOK_ALIKES = 16
_ANY_DIGIT = str.maketrans("123456789", "000000000")
_LOOK_REMOTE_FOLDERS = 100  # each is a request


@dataclass(frozen=True)
class FrameIdentity:
    """Identity of the frame that a file belongs to: sequence, name within it, split, number.

    Without a number, the names of the sequence's frames give theirs (``frame_numbers``).
    """

    sequence_id: str
    frame: str
    split: str
    number: int | None = None


Identify = Callable[[re.Match[str]], FrameIdentity]


def identify_by_groups(match: re.Match[str]) -> FrameIdentity:
    """Sequence from the groups ``head`` and ``sequence``, frame from ``frame``, number from ``number``, where it is.

    >>> identify_by_groups(re.fullmatch(HEAD + r"img/(?P<frame>(?P<number>[0-9]+)_10).png", "val/town/img/7_10.png"))
    FrameIdentity(sequence_id='val/town', frame='7_10', split='val', number=7)
    """
    groups = match.groupdict()
    parts = [part for part in (groups.get("head"), groups.get("sequence")) if part]
    digits = groups.get("number") or ""
    number = int(digits) if digits and len(digits) <= MAX_DIGITS else None
    return FrameIdentity("/".join(parts) or ROOT_SEQUENCE, match["frame"], split_of(match.string), number)


@dataclass
class PatternFinder:
    """Collects the files of a dump that match ``patterns`` and pairs them into frames.

    Where ``is_exclusive``, a file that matches different patterns is of the longest of them: ``1_gt.png`` matches
    ``{frame}.png``, too.
    """

    root: str
    patterns: Patterns
    identify: Identify = identify_by_groups
    log: ProblemLog = field(default_factory=ProblemLog)
    is_exclusive: bool = False

    def frames(self) -> FrameList:
        """Every frame with a picture and a label, sorted; what is left out is in ``log``.

        Without a pattern of pictures, every label is a frame.

        Raises:
            DumpError: frames at the top would be in one sequence with those of a folder ``main``.
        """
        table = FrameTable(self.log)
        required = [name for name in ("render", "label") if name in self.patterns]
        sequences: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
        numbers: dict[tuple[str, str], dict[str, int]] = {}
        twice: set[tuple[tuple[str, str], str]] = set()
        roots: dict[tuple[str, bool], str] = {}
        patterns = list(self.patterns.items())
        if self.is_exclusive:
            patterns.sort(key=lambda pair: -len(pair[1].pattern))
        for folder in walk(self.root, self.log):
            unmatched = []
            for file in folder.files:
                path = folder.join(file)
                taken = None
                for modality, pattern in patterns:
                    match = pattern.fullmatch(path) if taken in (None, pattern.pattern) else None
                    if match is None:
                        continue
                    taken = pattern.pattern if self.is_exclusive else None
                    place = self.identify(match)
                    key = place.split, place.sequence_id
                    if place.sequence_id == ROOT_SEQUENCE:
                        is_named = any(match.groupdict().get(name) for name in ("head", "sequence"))
                        roots.setdefault((place.split, is_named), path)
                        if (other := roots.get((place.split, not is_named))) is not None:
                            raise build_root_error(other, path)
                    files = sequences.setdefault(key, {name: {} for name in required}).setdefault(modality, {})
                    first = files.setdefault(place.frame, path)
                    if first != path:
                        self.log.add("duplicate_id", first)
                        self.log.add("duplicate_id", path)
                        twice.add((key, place.frame))
                    if place.number is not None:
                        numbers.setdefault(key, {})[place.frame] = place.number
                if taken is None and is_picture(file):
                    unmatched.append(path)
            if self.is_exclusive and len(unmatched) < len(folder.files):
                for path in unmatched:
                    self.log.add("unmatched", path)
        for key, frame in twice:
            for files in sequences[key].values():
                files.pop(frame, None)
        for key, by_modality in sorted(sequences.items()):
            split, sequence_id = key
            table.add_sequence(sequence_id, split, by_modality, numbers.get(key))
        return table.frames()


def discover_by_paths(
    root: str,
    patterns: Patterns,
    *,
    simulator: str,
    label_space: str,
    label_encoding: LabelEncoding,
    why: str,
    instance_encoding: InstanceEncoding = "numbered",
    identify: Identify = identify_by_groups,
    version: str = "",
    units: Mapping[str, str] | None = None,
) -> Dump:
    """The dump of a layout whose paths identify frames and whose labels are always stored in one way.

    Args:
        root: the dump's folder.
        patterns: of its files.
        simulator, label_space, label_encoding, why, instance_encoding, version: as in ``Dump``.
        identify: identity of the frame that a matching file belongs to.
        units: modality -> unit, for those that need one.
    """
    finder = PatternFinder(root, patterns, identify)
    frames = finder.frames()
    return Dump(
        root=root,
        simulator=simulator,
        version=version,
        label_space=label_space,
        label_encoding=label_encoding,
        instance_encoding=instance_encoding,
        frames=frames,
        problems=finder.log.problems(),
        why=why,
        metadata={"units": units} if units else {},
    )


def find_layout(root: str, patterns: Patterns) -> str | None:
    """A short reason: a picture and a label that match ``patterns``; None unless there are both."""
    found: dict[str, str] = {}
    for folder in quick_look(root):
        for modality in ("render", "label"):
            if modality not in found:
                paths = map(folder.join, folder.files)
                first = next((path for path in paths if patterns[modality].fullmatch(path)), None)
                if first is not None:
                    found[modality] = first
        if len(found) == 2:
            return f"{found['render']} and {found['label']}"
    return None


def quick_look(root: str) -> Sequence[DumpFolder]:
    """Some folders of a dump, from the top: enough to recognise a layout, few enough to be quick anywhere.

    Of files whose names differ in digits only, it has a few. The result is cached for all adapters; ``detect`` clears
    the cache first.
    """
    return _look(root)


def forget_look() -> None:
    """Clear the cache of ``quick_look``."""
    _look.cache_clear()


@lru_cache(maxsize=4)
def _look(root: str) -> tuple[DumpFolder, ...]:
    folders = walk(root, ProblemLog(), max_depth=_LOOK_DEPTH, max_entries=_LOOK_ENTRIES, max_siblings=_LOOK_SIBLINGS)
    seen = islice(folders, _LOOK_REMOTE_FOLDERS if is_remote(root) else _LOOK_FOLDERS)
    return tuple(DumpFolder(folder.path, folder.folders, _thin_out(folder.files)) for folder in seen)


def _thin_out(files: Sequence[str]) -> tuple[str, ...]:
    """A few of the files whose names differ in digits only: one pattern stands for all."""
    counts: Counter[str] = Counter()
    kept = []
    shapes = "/".join(files).translate(_ANY_DIGIT).split("/")
    for file, shape in zip(files, shapes, strict=False):  # no file, one shape
        counts[shape] += 1
        if counts[shape] <= _LOOK_ALIKES:
            kept.append(file)
    return tuple(kept)
