"""Groups of picture files of an unknown dump: one folder's files that differ in their numbers only, and their pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

from sflow_pipeline.columns import PICTURE_SUFFIXES
from sflow_pipeline.simulators.folder_walk import DumpFolder
from sflow_pipeline.simulators.frame_table import SPLIT_NAMES
from sflow_pipeline.simulators.name_affixes import split_name

_VARYING = ("scene", "take", "view", "part")
_ARRAYS = (".npy", ".npz", ".exr", ".tif", ".tiff", ".flo", ".pfm")


@dataclass(frozen=True)
class FileGroup:
    """Files of one folder: ``<before><core><after><suffix>``; ``names`` maps cores to file names."""

    folder: str
    before: str
    after: str
    suffix: str
    names: dict[str, str]

    @property
    def is_picture(self) -> bool:
        return self.suffix.lower() in PICTURE_SUFFIXES

    @property
    def title(self) -> str:
        """How to name it, without its frame."""
        return f"{self.folder}/{self.before}*{self.after}{self.suffix}".lstrip("/")

    @property
    def first(self) -> str:
        """A file from its middle: first frames are often black."""
        name = sorted(self.names.values())[len(self.names) // 2]
        return f"{self.folder}/{name}" if self.folder else name

    @property
    def words(self) -> str:
        """The part of the path that tells what it holds."""
        return f"{self.folder}/{self.before}/{self.after}".lower()


def group_files(folders: Iterable[DumpFolder]) -> list[FileGroup]:
    """The groups of a few folders; files without a number in their names are one group each folder and suffix."""
    groups: dict[tuple[str, str, str, str], dict[str, str]] = {}
    for folder in folders:
        for file in folder.files:
            stem, dot, suffix = file.rpartition(".")
            if not dot or not stem or f".{suffix.lower()}" not in (*PICTURE_SUFFIXES, *_ARRAYS):
                continue
            before, core, after = split_name(stem)
            key = (folder.path, before, after, f".{suffix}") if core else (folder.path, "", "", f".{suffix}")
            groups.setdefault(key, {})[core or stem] = file
    return [FileGroup(*key, names) for key, names in groups.items()]


@dataclass(frozen=True)
class GroupPair:
    """Two groups whose files belong together frame by frame, in every place of the dump that looks alike.

    Attributes:
        groups: of one place; the first group, and its partner.
        patterns: path patterns of both, for ``layout``.
        frames: how many cores the groups of all places share.
    """

    groups: tuple[FileGroup, FileGroup]
    patterns: tuple[str, str]
    frames: int


def find_pairs(groups: Sequence[FileGroup]) -> list[GroupPair]:
    """Every pair of groups with the same frames, most frames first."""
    alike: dict[tuple[object, ...], list[tuple[FileGroup, FileGroup, tuple[str, ...]]]] = {}
    for one, other in permutations(groups, 2):
        if not one.is_picture or one.names.keys().isdisjoint(other.names):
            continue
        start, parts, end = _compare(one.folder, other.folder)
        if (
            (len(start), len(end)) == (0, 0)
            and not any(parts)
            and (one.before, one.after) == (other.before, other.after)
        ):
            continue
        affixes = (one.before, one.after, one.suffix, other.before, other.after, other.suffix)
        alike.setdefault((len(start), parts, len(end), affixes), []).append((one, other, (*start, *end)))
    found = [_join(key, places) for key, places in alike.items()]
    return sorted(found, key=lambda pair: -pair.frames)


def _compare(one: str, other: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], tuple[str, ...]], tuple[str, ...]]:
    """What two folders share at their start, where they differ, and what they share at their end."""
    left, right = tuple(filter(None, one.split("/"))), tuple(filter(None, other.split("/")))
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    end = 0
    while end < min(len(left), len(right)) - start and left[-1 - end] == right[-1 - end]:
        end += 1
    middle = left[start : len(left) - end], right[start : len(right) - end]
    return left[:start], middle, left[len(left) - end :]


def _join(key: tuple[object, ...], places: list[tuple[FileGroup, FileGroup, tuple[str, ...]]]) -> GroupPair:
    """One pair of all places that differ in the shared parts of their folders only, which become placeholders."""
    start, parts = key[0], key[1]
    assert isinstance(start, int) and isinstance(parts, tuple)
    shared: list[str] = []
    names = iter(_VARYING)
    for values in zip(*(place[2] for place in places), strict=True):
        if len(set(values)) == 1:
            shared.append(values[0])
        elif SPLIT_NAMES.issuperset(value.lower() for value in values):
            shared.append("{split}")
        else:
            shared.append(f"{{{next(names, 'rest')}}}")
    one, other, _ = places[0]
    patterns = tuple(
        "/".join([*shared[:start], *middle, *shared[start:], f"{group.before}{{frame}}{group.after}{group.suffix}"])
        for group, middle in zip((one, other), parts, strict=True)
    )
    frames = sum(len(one.names.keys() & other.names.keys()) for one, other, _ in places)
    return GroupPair((one, other), (patterns[0], patterns[1]), frames)
